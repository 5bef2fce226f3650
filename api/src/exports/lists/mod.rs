//! The lists that can be exported: under each list's path with `/export` behind it, by the same filters and the same
//! permission.

mod coming;
mod counts;
mod drifts;
mod goods;
mod orders;
mod people;
mod places;
mod publishing;
mod stock;
mod work;

use shared::page::Page;

/// All of them.
pub type Apis = (
    coming::Api,
    counts::Api,
    drifts::Api,
    goods::Api,
    orders::Api,
    people::Api,
    places::Api,
    publishing::Api,
    stock::Api,
    work::Api,
);

/// All of them.
pub const APIS: Apis = (
    coming::Api,
    counts::Api,
    drifts::Api,
    goods::Api,
    orders::Api,
    people::Api,
    places::Api,
    publishing::Api,
    stock::Api,
    work::Api,
);

/// What is listed by a filter, and how one page of it is read.
macro_rules! listed {
    ($list:ty => $row:ty, |$this:ident, $tx:ident, $query:ident| $page:expr) => {
        impl $crate::exports::Listed for $list {
            type Row = $row;

            async fn page(
                &self,
                $tx: &mut shared::db::EnterpriseTx,
                $query: &shared::page::PageQuery,
            ) -> shared::Result<shared::page::Page<$row>> {
                let ($this, _) = (self, $query);
                $page
            }
        }
    };
}
use listed;

/// A list that is short enough to be shown as a whole.
fn whole<T, U: From<T>>(items: Vec<T>) -> Page<U> {
    Page { items: items.into_iter().map(Into::into).collect(), next: None }
}
