//! What somebody may do: each permission with its reach, summed up from what was granted.

use std::collections::BTreeMap;

use super::{Permission, Reach, Role};

/// Each permission that somebody has, with its reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants(BTreeMap<Permission, Reach>);

impl Grants {
    /// A built-in role with a reach.
    pub fn of_role(role: Role, reach: &Reach) -> Self {
        Self::of(&role.permissions(), reach)
    }

    /// These permissions with a reach; those that cannot be narrowed so far are not among them.
    pub fn of(permissions: &[Permission], reach: &Reach) -> Self {
        let narrowed = |permission: &Permission| (*permission, reach.clone().at_finest(permission.finest()));
        Self(permissions.iter().map(narrowed).filter(|(_, reach)| !reach.is_nowhere()).collect())
    }

    /// All of these and those.
    #[must_use]
    pub fn and(mut self, more: Self) -> Self {
        for (permission, reach) in more.0 {
            let there = self.0.remove(&permission).unwrap_or(Reach::NOWHERE);
            self.0.insert(permission, there.union(reach));
        }
        self
    }

    /// What is among these and those.
    #[must_use]
    pub fn within(self, bounds: &Self) -> Self {
        let cut = |(permission, reach): (Permission, Reach)| {
            let reach = reach.intersection(&bounds.reach(permission));
            (!reach.is_nowhere()).then_some((permission, reach))
        };
        Self(self.0.into_iter().filter_map(cut).collect())
    }

    /// How far this is permitted; nowhere, if it is not.
    pub fn reach(&self, permission: Permission) -> Reach {
        self.0.get(&permission).cloned().unwrap_or(Reach::NOWHERE)
    }

    /// Every permission with its reach.
    pub fn iter(&self) -> impl Iterator<Item = (Permission, &Reach)> {
        self.0.iter().map(|(permission, reach)| (*permission, reach))
    }

    /// Whether they are over people, rights, keys, tokens or the enterprise itself: what a second factor guards first.
    pub fn are_administrative(&self) -> bool {
        self.0.keys().any(|permission| permission.is_personal())
    }

    /// The first permission that the others have and these lack, or have less far.
    pub fn lack_of(&self, others: &Self) -> Option<Permission> {
        others
            .iter()
            .find(|(permission, reach)| !self.reach(*permission).covers(reach))
            .map(|(permission, _)| permission)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::WarehouseId;

    #[test]
    fn an_administrator_of_a_warehouse_manages_no_people() {
        let warehouse = WarehouseId::new();
        let grants = Grants::of_role(Role::Administrator, &Reach::warehouses([warehouse]));
        assert!(grants.reach(Permission::ManagePeople).is_nowhere());
        assert!(grants.reach(Permission::ManageRequests).holds_in(Some(warehouse)));
        assert!(!grants.reach(Permission::ManageRequests).holds_in(Some(WarehouseId::new())));
    }

    #[test]
    fn who_administers_follows_from_rights_and_not_from_the_name_of_a_role() {
        assert!(Grants::of_role(Role::Administrator, &Reach::Everywhere).are_administrative());
        assert!(Grants::of(&[Permission::ManageKeys], &Reach::Everywhere).are_administrative());
        assert!(!Grants::of_role(Role::Manager, &Reach::Everywhere).are_administrative());
        let narrow = Grants::of_role(Role::Administrator, &Reach::warehouses([WarehouseId::new()]));
        assert!(!narrow.are_administrative());
    }

    #[test]
    fn own_requests_are_worked_on_but_not_managed() {
        let grants = Grants::of_role(Role::Manager, &Reach::own());
        assert_eq!(grants.reach(Permission::WorkRequests), Reach::own());
        assert!(grants.reach(Permission::ManageRequests).is_nowhere());
        assert!(grants.reach(Permission::ReadMoney).is_nowhere());
    }

    #[test]
    fn several_grants_add_up_and_nobody_gives_what_he_lacks() {
        let (a, b) = (WarehouseId::new(), WarehouseId::new());
        let mixed = Grants::of_role(Role::Storekeeper, &Reach::warehouses([a]))
            .and(Grants::of_role(Role::Picker, &Reach::warehouses([b])));
        assert!(mixed.reach(Permission::WorkRequests).covers(&Reach::warehouses([a, b])));
        assert!(!mixed.reach(Permission::ReceiveGoods).holds_in(Some(b)));
        let manager = Grants::of_role(Role::Manager, &Reach::Everywhere);
        assert_eq!(manager.lack_of(&mixed), None);
        assert_eq!(mixed.lack_of(&Grants::of_role(Role::Picker, &Reach::Everywhere)), Some(Permission::ReadStock));
        assert_eq!(
            manager.lack_of(&Grants::of_role(Role::Administrator, &Reach::Everywhere)),
            Some(Permission::ManagePeople)
        );
    }

    #[test]
    fn a_key_keeps_no_more_than_its_maker_has_left() {
        let a = WarehouseId::new();
        let key = Grants::of(&[Permission::ReadOrders, Permission::ReadMoney], &Reach::Everywhere);
        let maker = Grants::of_role(Role::Storekeeper, &Reach::warehouses([a]));
        let left = key.within(&maker);
        assert_eq!(left, Grants::of(&[Permission::ReadOrders], &Reach::warehouses([a])));
    }
}
