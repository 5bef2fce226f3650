//! Lots: goods of one product that came together. What names no lot means the one without a code, which every product has.

use std::collections::HashMap;

use chrono::{Datelike, NaiveDate};

use crate::db::EnterpriseTx;
use crate::ids::{LotId, ProductId};
use crate::{Error, Refusal, Result, clock};

/// How people call a lot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LotName {
    /// What is printed on it; if absent, its last day of sale is its code.
    pub code: Option<String>,
    /// The last day on which it may be sold.
    pub expires_on: Option<NaiveDate>,
}

impl LotName {
    /// The code, 1 to 60 characters; `field` is where the client named it.
    pub(super) fn code(&self, field: &str) -> Result<String> {
        let code = match (&self.code, self.expires_on) {
            (Some(code), _) => code.trim().to_owned(),
            (None, Some(day)) => day.to_string(),
            (None, None) => return Err(Error::invalid(field, "must have a code or a last day of sale")),
        };
        if self.expires_on.is_some_and(|day| !clock::YEARS.contains(&day.year())) {
            return Err(Error::invalid(format!("{field}.expiresOn"), "must lie in the years 0001 to 9999"));
        }
        if code.is_empty() || code.chars().count() > 60 {
            return Err(Error::invalid(format!("{field}.code"), "must have 1 to 60 characters"));
        }
        Ok(code)
    }
}

/// The lot of a product that nobody told apart.
pub(crate) fn without_code(product_id: ProductId) -> LotId {
    LotId(product_id.0)
}

/// A lot that a line of a batch names.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub product_id: ProductId,
    pub code: String,
    pub expires_on: Option<NaiveDate>,
}

/// The lots of these products by their codes, each with its last day of sale.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<(ProductId, String), (LotId, Option<NaiveDate>)>);

impl Known {
    /// The lot, unless nobody has heard of it or it is known with another day.
    pub fn find(&self, named: &Named) -> std::result::Result<LotId, (Refusal, String)> {
        let Named { product_id, code, expires_on } = named;
        match self.0.get(&(*product_id, code.clone())) {
            None => Err((Refusal::LotUnknown, format!("the product has no lot {code}"))),
            Some((id, known)) if expires_on.is_none() || expires_on == known => Ok(*id),
            Some((_, known)) => Err((
                Refusal::LotExpiryDiffers,
                match known {
                    Some(day) => format!("lot {code} may be sold until {day}"),
                    None => format!("lot {code} has no last day of sale"),
                },
            )),
        }
    }

    /// The id that this lot will have when it is made.
    pub fn add(&mut self, named: &Named) -> LotId {
        let id = LotId::new();
        self.0.insert((named.product_id, named.code.clone()), (id, named.expires_on));
        id
    }
}

/// Looks lots up.
pub(super) async fn find(tx: &mut EnterpriseTx, named: &[Named]) -> Result<Known> {
    if named.is_empty() {
        return Ok(Known::default());
    }
    let rows = sqlx::query!(
        r#"SELECT product_id, code AS "code!", id, expires_on FROM lots WHERE product_id = ANY($1) AND code = ANY($2)"#,
        &named.iter().map(|lot| lot.product_id.0).collect::<Vec<_>>(),
        &named.iter().map(|lot| lot.code.clone()).collect::<Vec<_>>(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(Known(rows.into_iter().map(|row| ((row.product_id, row.code), (row.id, row.expires_on))).collect()))
}

/// Makes lots, under these ids. Whoever does has lined up at their products and has not found them.
pub(super) async fn make(tx: &mut EnterpriseTx, lots: &[(LotId, &Named)]) -> Result<()> {
    if lots.is_empty() {
        return Ok(());
    }
    let (enterprise_id, now) = (tx.enterprise_id(), tx.now().await?);
    sqlx::query!(
        "INSERT INTO lots (enterprise_id, product_id, id, code, expires_on, created_at)
         SELECT $1, l.product_id, l.id, l.code, l.expires_on, $2
         FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::date[]) AS l (product_id, id, code, expires_on)",
        enterprise_id as _,
        now,
        &lots.iter().map(|(_, lot)| lot.product_id.0).collect::<Vec<_>>(),
        &lots.iter().map(|(id, _)| id.0).collect::<Vec<_>>(),
        &lots.iter().map(|(_, lot)| lot.code.clone()).collect::<Vec<_>>(),
        &lots.iter().map(|(_, lot)| lot.expires_on).collect::<Vec<_>>() as &[Option<NaiveDate>],
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
