//! What each operation asks of who calls it: the one table, by operation id.
//!
//! It is enforced before a handler runs and before a body is read (`auth`), and published in the document as
//! `x-permission`, a list of which one is enough:
//!
//! | word | who is let in |
//! |---|---|
//! | `public` | everybody, signed in or not |
//! | `signed-in` | every session and every service key |
//! | `person` | every session |
//! | `enterprise:member` | every session that acts in an enterprise |
//! | `system:administer` | system administrators |
//! | `resource:action` | who has the permission, however far it reaches |
//!
//! `x-reach` says to what a grant of the permission can be narrowed: `enterprise` (not at all), `warehouses`, `own`.
//! `x-step-up` marks what also wants a proof of the last five minutes of who is asking, see [`StepUp`].
//! What is out of reach is answered as what is not there. An operation without a row is refused to everybody, and the
//! contract tests name it.

use serde_json::{Map, Value};
use shared::access::{ADMINISTER_SYSTEM, BE_A_PERSON, BELONG_TO_ENTERPRISE, Finest, Permission, Recognised};
use shared::{Error, Result};

use Needs::{Everywhere, Member, Person, Public, SignedIn, System};
use Permission::{
    AcknowledgeAlarms, AdjustStock, ApproveCounts, HoldStock, ManageCounts, ManageEnterprise, ManageJobs, ManageKeys,
    ManagePeople, ManagePrinters, ManageProducts, ManageRequests, ManageRoles, ManageSupplies, ManageTokens,
    ManageWarehouses, ManageWildberries, MoveStock, PrintLabels, ReadAlarms, ReadAudit, ReadCounts, ReadJobs,
    ReadOrders, ReadPeople, ReadPrinting, ReadRequests, ReadStock, ReadWildberries, ReceiveGoods, ReserveStock,
    WorkCounts, WorkRequests,
};

/// What an operation asks of who calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: nobody is recognised.
    Public,
    /// Any session or key.
    SignedIn,
    /// Any session: a key signs in nowhere.
    Person,
    /// Any session in an enterprise.
    Member,
    /// A system administrator's session.
    System,
    /// One of these permissions.
    OneOf(&'static [Permission]),
    /// One of these permissions, all over the enterprise.
    Everywhere(&'static [Permission]),
}

macro_rules! table {
    ($($operation:literal: $needs:expr;)+) => {
        /// Every operation with what it needs.
        pub const TABLE: &[(&str, Needs)] = &[$(($operation, $needs),)+];
    };
}

const fn one(permission: &'static [Permission]) -> Needs {
    Needs::OneOf(permission)
}

table! {
    "home": Public;
    "health": Public;
    "health_db": Public;
    "health_ready": Public;
    "health_redis": Public;
    "health_resources": Public;
    "login": Public;
    "login_second_factor": Public;
    "refresh": Public;
    "logout": Person;
    "logout_everywhere": Person;
    "list_sessions": Person;
    "end_session": Person;
    "end_other_sessions": Person;
    "get_second_factor": Person;
    "begin_second_factor": Person;
    "finish_second_factor": Person;
    "renew_recovery_codes": Person;
    "disable_second_factor": Person;
    "confirm_identity": Person;
    "change_password": Person;
    "request_password_reset": Public;
    "reset_password": Public;
    "request_email_change": Person;
    "change_email": Public;
    "accept_invitation": Public;
    "list_enterprises": SignedIn;
    "create_enterprise": System;
    "invite_administrator": System;
    "get_enterprise": SignedIn;
    "change_enterprise": one(&[ManageEnterprise]);
    "suspend_enterprise": System;
    "activate_enterprise": System;
    "list_api_keys": one(&[ManageKeys]);
    "create_api_key": one(&[ManageKeys]);
    "get_api_key": one(&[ManageKeys]);
    "revoke_api_key": one(&[ManageKeys]);
    "list_users": one(&[ReadPeople]);
    "create_user": one(&[ManagePeople]);
    "get_me": SignedIn;
    "change_me": Member;
    "get_user": one(&[ReadPeople]);
    "change_user": one(&[ManagePeople]);
    "activate_user": one(&[ManagePeople]);
    "deactivate_user": one(&[ManagePeople]);
    "set_user_grants": one(&[ManagePeople]);
    "remove_user": one(&[ManagePeople]);
    "invite_user": one(&[ManagePeople]);
    "reset_user_password": one(&[ManagePeople]);
    "list_user_sessions": one(&[ManagePeople]);
    "end_user_sessions": one(&[ManagePeople]);
    "end_user_session": one(&[ManagePeople]);
    "list_roles": one(&[ReadPeople]);
    "create_role": one(&[ManageRoles]);
    "get_role": one(&[ReadPeople]);
    "change_role": one(&[ManageRoles]);
    "delete_role": one(&[ManageRoles]);
    "list_accounts": one(&[ReadWildberries]);
    "connect_account": one(&[ManageTokens]);
    "replace_token": one(&[ManageTokens]);
    "list_wildberries_warehouses": one(&[ReadWildberries]);
    "link_warehouse": one(&[ManageWildberries]);
    "unlink_warehouse": one(&[ManageWildberries]);
    "get_publishing_rule": one(&[ReadWildberries]);
    "set_publishing_rule": one(&[ManageWildberries]);
    "set_publishing_quotas": one(&[ManageWildberries]);
    "list_publishable": one(&[ReadWildberries]);
    "state_publishable": one(&[ManageWildberries]);
    "list_stated": one(&[ReadWildberries]);
    "list_pushed": one(&[ReadWildberries]);
    "freeze_publishing": one(&[ManageWildberries]);
    "thaw_publishing": one(&[ManageWildberries]);
    "list_publications": one(&[ReadWildberries]);
    "list_publication_lines": one(&[ReadWildberries]);
    "approve_publication": one(&[ManageWildberries]);
    "reject_publication": one(&[ManageWildberries]);
    "list_drifts": one(&[ReadWildberries]);
    "acknowledge_drift": one(&[ManageWildberries]);
    "list_quarantine": one(&[ReadWildberries]);
    "replay_quarantine": one(&[ManageWildberries]);
    "list_method_endings": one(&[ReadWildberries]);
    "list_sync_runs": one(&[ReadWildberries]);
    "list_sync_run_items": one(&[ReadWildberries]);
    "start_sync": one(&[ManageWildberries]);
    "get_sync_run": one(&[ReadWildberries]);
    "list_warehouses": one(&[ReadStock]);
    // A new one is in nobody's reach yet but of those who reach everywhere.
    "create_warehouse": Everywhere(&[ManageWarehouses]);
    "get_warehouse": one(&[ReadStock]);
    "change_warehouse": one(&[ManageWarehouses]);
    "list_warehouse_uses": one(&[ReadStock]);
    "archive_warehouse": Everywhere(&[ManageWarehouses]);
    "restore_warehouse": Everywhere(&[ManageWarehouses]);
    "get_warehouse_fill": one(&[ReadStock]);
    "get_warehouse_map": one(&[ReadStock]);
    "list_zones": one(&[ReadStock]);
    "create_zone": one(&[ManageWarehouses]);
    "change_zone": one(&[ManageWarehouses]);
    "delete_zone": one(&[ManageWarehouses]);
    "list_cells": one(&[ReadStock]);
    "search_cells": one(&[ReadStock]);
    "get_cell": one(&[ReadStock]);
    "add_cells": one(&[ManageWarehouses]);
    "generate_cells": one(&[ManageWarehouses]);
    "change_cell": one(&[ManageWarehouses]);
    "change_cells": one(&[ManageWarehouses]);
    "block_cells": one(&[ManageWarehouses]);
    "unblock_cells": one(&[ManageWarehouses]);
    "archive_cells": one(&[ManageWarehouses]);
    "restore_cells": one(&[ManageWarehouses]);
    "print_cell_labels": one(&[PrintLabels]);
    "get_cell_label": one(&[ReadStock]);
    "list_products": one(&[ReadStock]);
    "create_product": one(&[ManageProducts]);
    "get_product": one(&[ReadStock]);
    "get_product_by_barcode": one(&[ReadStock]);
    "get_product_uses": one(&[ReadStock]);
    "change_product": one(&[ManageProducts]);
    "archive_product": one(&[ManageProducts]);
    "restore_product": one(&[ManageProducts]);
    "list_categories": one(&[ReadStock]);
    "create_category": one(&[ManageProducts]);
    "get_category": one(&[ReadStock]);
    "change_category": one(&[ManageProducts]);
    "delete_category": one(&[ManageProducts]);
    "list_product_imports": one(&[ManageProducts]);
    "create_product_import": one(&[ManageProducts]);
    "get_product_import": one(&[ManageProducts]);
    "list_product_import_rows": one(&[ManageProducts]);
    "set_product_import_columns": one(&[ManageProducts]);
    "check_product_import": one(&[ManageProducts]);
    "commit_product_import": one(&[ManageProducts]);
    "undo_product_import": one(&[ManageProducts]);
    "list_balances": one(&[ReadStock]);
    "list_stock_entries": one(&[ReadStock]);
    "check_consistency": one(&[ReadStock]);
    "list_past_balances": one(&[ReadStock]);
    "list_stock_changes": one(&[ReadStock]);
    "list_turnover": one(&[ReadStock]);
    "list_slow_movers": one(&[ReadStock]);
    "post_goods_receipt": one(&[ReceiveGoods]);
    "list_receipt_sheets": one(&[ReadStock]);
    "open_receipt_sheet": one(&[ReceiveGoods]);
    "get_receipt_sheet": one(&[ReadStock]);
    "list_receipt_counts": one(&[ReadStock]);
    "count_receipt": one(&[ReceiveGoods]);
    "post_receipt_sheet": one(&[ReceiveGoods]);
    "cancel_receipt_sheet": one(&[ReceiveGoods]);
    "suggest_put_away": one(&[ReadStock]);
    "list_transfers": one(&[ReadStock]);
    // Its two warehouses are rarely in one narrow reach; whoever has one of them sends or receives.
    "plan_transfer": Everywhere(&[MoveStock]);
    "get_transfer": one(&[ReadStock]);
    "send_transfer": one(&[MoveStock]);
    "receive_transfer": one(&[ReceiveGoods]);
    "close_transfer": one(&[ReceiveGoods]);
    "cancel_transfer": one(&[MoveStock]);
    "list_in_transit": one(&[ReadStock]);
    "move_stock": one(&[MoveStock]);
    "adjust_stock": one(&[AdjustStock]);
    "receive_returns": one(&[ReceiveGoods]);
    "write_off_stock": one(&[AdjustStock]);
    "list_holds": one(&[ReadStock]);
    "hold_stock": one(&[HoldStock]);
    "release_holds": one(&[HoldStock]);
    "list_reservations": one(&[ReadStock]);
    "reserve_stock": one(&[ReserveStock]);
    "release_reservations": one(&[ReserveStock]);
    "list_counts": one(&[ReadCounts]);
    "plan_count": one(&[ManageCounts]);
    "get_count": one(&[ReadCounts]);
    "change_count": one(&[ManageCounts]);
    "start_count": one(&[ManageCounts]);
    "cancel_count": one(&[ManageCounts]);
    "list_count_cells": one(&[ReadCounts]);
    "list_count_lines": one(&[ReadCounts]);
    "list_count_tallies": one(&[ReadCounts]);
    "get_count_history": one(&[ReadCounts]);
    "count_goods": one(&[WorkCounts]);
    "count_empty_cell": one(&[WorkCounts]);
    "scan_count": one(&[WorkCounts]);
    "review_count": one(&[ManageCounts]);
    "recount_lines": one(&[ManageCounts]);
    "explain_count": one(&[ManageCounts]);
    "approve_count": one(&[ApproveCounts]);
    "reject_count": one(&[ApproveCounts]);
    "list_orders": one(&[ReadOrders]);
    "get_order": one(&[ReadOrders]);
    "get_order_history": one(&[ReadOrders]);
    "pack_order": one(&[WorkRequests]);
    "list_requests": one(&[ReadRequests]);
    "create_request": one(&[ManageRequests]);
    "get_request": one(&[ReadRequests]);
    "list_request_lines": one(&[ReadRequests]);
    "list_request_moves": one(&[ReadRequests]);
    "get_request_history": one(&[ReadRequests]);
    "assign_request": one(&[ManageRequests]);
    // Calling off is managing, every other step is working.
    "move_request": one(&[WorkRequests, ManageRequests]);
    "scan": one(&[WorkRequests]);
    "list_supplies": one(&[ReadOrders]);
    "create_supply": one(&[ManageSupplies]);
    "get_supply": one(&[ReadOrders]);
    "get_supply_history": one(&[ReadOrders]);
    "publish_supply": one(&[ManageSupplies]);
    "list_shipping_points": one(&[ReadOrders]);
    "set_shipping": one(&[ManageSupplies]);
    "deliver_supply": one(&[ManageSupplies]);
    "list_printers": one(&[ReadPrinting]);
    "create_printer": one(&[ManagePrinters]);
    "get_printer": one(&[ReadPrinting]);
    "list_print_jobs": one(&[ReadPrinting]);
    "create_print_job": one(&[PrintLabels]);
    "get_print_job": one(&[ReadPrinting]);
    "list_print_items": one(&[ReadPrinting]);
    "resolve_print_item": one(&[PrintLabels]);
    "cancel_print_job": one(&[PrintLabels]);
    "list_alarms": one(&[ReadAlarms]);
    "acknowledge_alarm": one(&[AcknowledgeAlarms]);
    "list_jobs": one(&[ReadJobs]);
    "get_job": one(&[ReadJobs]);
    "cancel_job": one(&[ManageJobs]);
    "export_products": one(&[ReadStock]);
    "export_balances": one(&[ReadStock]);
    "export_stock_entries": one(&[ReadStock]);
    "export_past_balances": one(&[ReadStock]);
    "export_turnover": one(&[ReadStock]);
    "export_slow_movers": one(&[ReadStock]);
    "export_holds": one(&[ReadStock]);
    "export_reservations": one(&[ReadStock]);
    "export_receipt_sheets": one(&[ReadStock]);
    "export_receipt_counts": one(&[ReadStock]);
    "export_transfers": one(&[ReadStock]);
    "export_in_transit": one(&[ReadStock]);
    "export_publications": one(&[ReadWildberries]);
    "export_publication_lines": one(&[ReadWildberries]);
    "export_publishable": one(&[ReadWildberries]);
    "export_stated": one(&[ReadWildberries]);
    "export_pushed": one(&[ReadWildberries]);
    "export_counts": one(&[ReadCounts]);
    "export_count_cells": one(&[ReadCounts]);
    "export_count_lines": one(&[ReadCounts]);
    "export_count_tallies": one(&[ReadCounts]);
    "export_orders": one(&[ReadOrders]);
    "export_cells": one(&[ReadStock]);
    "export_requests": one(&[ReadRequests]);
    "export_supplies": one(&[ReadOrders]);
    "export_categories": one(&[ReadStock]);
    "export_product_imports": one(&[ManageProducts]);
    "export_product_import_rows": one(&[ManageProducts]);
    "export_request_lines": one(&[ReadRequests]);
    "export_request_moves": one(&[ReadRequests]);
    "export_users": one(&[ReadPeople]);
    "export_roles": one(&[ReadPeople]);
    "export_api_keys": one(&[ManageKeys]);
    "export_audit_entries": one(&[ReadAudit]);
    "export_warehouses": one(&[ReadStock]);
    "export_zones": one(&[ReadStock]);
    "export_warehouse_uses": one(&[ReadStock]);
    "export_alarms": one(&[ReadAlarms]);
    "export_jobs": one(&[ReadJobs]);
    "export_sync_runs": one(&[ReadWildberries]);
    "export_sync_run_items": one(&[ReadWildberries]);
    "export_print_jobs": one(&[ReadPrinting]);
    "export_print_items": one(&[ReadPrinting]);
    "export_printers": one(&[ReadPrinting]);
    "export_drifts": one(&[ReadWildberries]);
    "export_quarantine": one(&[ReadWildberries]);
    "export_method_endings": one(&[ReadWildberries]);
    "export_accounts": one(&[ReadWildberries]);
    "export_wildberries_warehouses": one(&[ReadWildberries]);
    "list_audit_entries": one(&[ReadAudit]);
    "verify_audit": one(&[ReadAudit]);
    "get_audit_entry": one(&[ReadAudit]);
}

/// When an operation wants a recent sign-in or `POST /auth/confirm`, and answers `step_up_required` without. The verbs ask;
/// this tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepUp {
    /// Whatever is asked.
    Always,
    /// If the body makes somebody an administrator, changes an address, or leaves the old password out.
    Sometimes,
}

/// The operations that want it.
pub const STEP_UP: &[(&str, StepUp)] = &[
    ("begin_second_factor", StepUp::Always),
    ("change_password", StepUp::Sometimes),
    ("change_role", StepUp::Always),
    ("change_user", StepUp::Sometimes),
    ("connect_account", StepUp::Always),
    ("create_api_key", StepUp::Always),
    ("create_user", StepUp::Sometimes),
    ("disable_second_factor", StepUp::Always),
    ("end_other_sessions", StepUp::Always),
    ("end_session", StepUp::Always),
    ("finish_second_factor", StepUp::Always),
    ("invite_user", StepUp::Sometimes),
    ("renew_recovery_codes", StepUp::Always),
    ("replace_token", StepUp::Always),
    ("request_email_change", StepUp::Always),
    ("reset_user_password", StepUp::Always),
    ("revoke_api_key", StepUp::Always),
    ("set_user_grants", StepUp::Always),
];

impl StepUp {
    /// When the operation wants it; never, if the table does not have it.
    pub fn of(operation: &str) -> Option<Self> {
        STEP_UP.iter().find(|(known, _)| *known == operation).map(|(_, when)| *when)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Sometimes => "sometimes",
        }
    }
}

impl Needs {
    /// What the operation needs, if the table has it.
    pub fn of(operation: &str) -> Option<Self> {
        TABLE.iter().find(|(known, _)| *known == operation).map(|(_, needs)| *needs)
    }

    /// Refuses who may not call the operation at all.
    pub fn admit(self, caller: &Recognised) -> Result<()> {
        let lacks = |permissions: &[Permission]| {
            Err(Error::Forbidden(permissions.first().map_or("none", |permission| permission.code())))
        };
        match (self, caller) {
            (Self::Public | Self::SignedIn, _) | (Self::Person | Self::System, Recognised::Operator(_)) => Ok(()),
            (Self::Person | Self::Member, Recognised::Actor(actor)) if actor.user_id().is_some() => Ok(()),
            (Self::Person, Recognised::Actor(_)) => Err(Error::Forbidden(BE_A_PERSON)),
            (Self::System, Recognised::Actor(_)) => Err(Error::Forbidden(ADMINISTER_SYSTEM)),
            (Self::Member, _) | (Self::OneOf(_) | Self::Everywhere(_), Recognised::Operator(_)) => {
                Err(Error::Forbidden(BELONG_TO_ENTERPRISE))
            }
            (Self::OneOf(permissions), Recognised::Actor(actor)) => {
                if permissions.iter().any(|permission| actor.may(*permission)) { Ok(()) } else { lacks(permissions) }
            }
            (Self::Everywhere(permissions), Recognised::Actor(actor)) => {
                let everywhere = permissions.iter().any(|permission| actor.reach(*permission).is_everywhere());
                if everywhere { Ok(()) } else { lacks(permissions) }
            }
        }
    }

    fn words(self) -> Vec<&'static str> {
        match self {
            Self::Public => vec!["public"],
            Self::SignedIn => vec!["signed-in"],
            Self::Person => vec![BE_A_PERSON],
            Self::Member => vec![BELONG_TO_ENTERPRISE],
            Self::System => vec![ADMINISTER_SYSTEM],
            Self::OneOf(permissions) | Self::Everywhere(permissions) => {
                permissions.iter().map(|permission| permission.code()).collect()
            }
        }
    }

    /// Writes it into the operation's part of the document.
    pub fn publish(self, operation: &mut Map<String, Value>) {
        operation.insert("x-permission".to_owned(), self.words().into());
        let finest = match self {
            Self::OneOf(permissions) => permissions.iter().map(|permission| permission.finest()).max(),
            Self::Everywhere(_) => Some(Finest::Enterprise),
            Self::Public | Self::SignedIn | Self::Person | Self::Member | Self::System => None,
        };
        if let Some(finest) = finest {
            operation.insert("x-reach".to_owned(), finest.name().into());
        }
        if let Some(step_up) = operation["operationId"].as_str().and_then(StepUp::of) {
            operation.insert("x-step-up".to_owned(), step_up.word().into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_of_the_document_has_one_row_and_every_row_an_operation() {
        let document: Value = serde_json::from_str(&crate::openapi()).unwrap();
        let items = document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
        let mut served: Vec<_> = items.filter_map(|operation| operation["operationId"].as_str()).collect();
        let mut known: Vec<_> = TABLE.iter().map(|(operation, _)| *operation).collect();
        served.sort_unstable();
        known.sort_unstable();
        assert_eq!(known, served);
        for (operation, _) in STEP_UP {
            assert!(known.contains(operation), "{operation}");
        }
    }
}
