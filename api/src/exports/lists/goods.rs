//! Goods.

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use shared::db::Db;
use shared::ids::{CategoryId, NmId, ProductImportId};
use shared::products::imports::{self, RowVerdict};
use shared::products::{self, ProductFilter, categories};

use super::super::{Export, ExportFormat, export};
use super::{listed, whole};
use crate::Tag;
use crate::auth::Caller;
use crate::problem::ApiError;
use crate::products::{Category, Product, ProductImport, ProductImportRow};

listed!(ProductFilter => Product, |list, tx, query| Ok(products::list(tx, list, query).await?.map(Into::into)));

struct Categories;
listed!(Categories => Category, |_list, tx, query| Ok(whole(categories::list(tx).await?)));

struct Imports;
listed!(Imports => ProductImport, |_list, tx, query| Ok(imports::list(tx, query).await?.map(Into::into)));

/// The rows of one import.
struct RowsOf {
    import: ProductImportId,
    verdict: Option<RowVerdict>,
}
listed!(RowsOf => ProductImportRow, |list, tx, query| {
    Ok(imports::rows(tx, list.import, list.verdict, query).await?.map(Into::into))
});

/// Exports.
pub struct Api;

#[OpenApi]
impl Api {
    /// Export products by name, or the best first where words are looked for
    #[oai(path = "/products/export", method = "get", operation_id = "export_products", tag = "Tag::Products")]
    #[expect(clippy::too_many_arguments, reason = "one parameter per filter")]
    async fn products(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
        /// With exactly this barcode.
        #[oai(validator(max_length = 128))]
        barcode: Query<Option<String>>,
        /// With these words in some form.
        #[oai(validator(max_length = 200))]
        text: Query<Option<String>>,
        /// Of this card.
        #[oai(name = "nmId")]
        nm_id: Query<Option<NmId>>,
        /// Of this brand.
        #[oai(validator(max_length = 200))]
        brand: Query<Option<String>>,
        /// In this category or one below it.
        #[oai(name = "categoryId")]
        category_id: Query<Option<CategoryId>>,
        /// Those that are archived instead of those that are not.
        archived: Query<Option<bool>>,
        /// With fewer available units than their minimum, in the warehouses in reach.
        #[oai(name = "belowMinimum")]
        below_minimum: Query<Option<bool>>,
        /// Bundles, or what is none.
        bundle: Query<Option<bool>>,
    ) -> Result<Export<Product>, ApiError> {
        let filter = ProductFilter {
            barcode: barcode.0,
            text: text.0,
            nm_id: nm_id.0,
            brand: brand.0,
            category_id: category_id.0,
            archived: archived.0.unwrap_or(false),
            below_minimum: below_minimum.0.unwrap_or(false),
            bundle: bundle.0,
        };
        export(&db, actor, "products", format.0.unwrap_or_default(), filter).await
    }

    /// Export the whole tree by path
    #[oai(path = "/categories/export", method = "get", operation_id = "export_categories", tag = "Tag::Products")]
    async fn categories(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<Category>, ApiError> {
        let list = Categories;
        export(&db, actor, "categories", format.0.unwrap_or_default(), list).await
    }

    /// Export imports, newest first
    #[oai(
        path = "/product-imports/export",
        method = "get",
        operation_id = "export_product_imports",
        tag = "Tag::Products"
    )]
    async fn imports(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<ProductImport>, ApiError> {
        let list = Imports;
        export(&db, actor, "product-imports", format.0.unwrap_or_default(), list).await
    }

    /// Export the rows of an import as they stand in the file, each with its verdict
    #[oai(
        path = "/product-imports/:id/rows/export",
        method = "get",
        operation_id = "export_product_import_rows",
        tag = "Tag::Products"
    )]
    async fn import_rows(
        &self,
        Caller(actor): Caller,
        db: Data<&Db>,
        id: Path<ProductImportId>,
        /// Only those with this verdict.
        verdict: Query<Option<RowVerdict>>,
        /// What kind of file; CSV if absent.
        format: Query<Option<ExportFormat>>,
    ) -> Result<Export<ProductImportRow>, ApiError> {
        let list = RowsOf { import: id.0, verdict: verdict.0 };
        export(&db, actor, "product-import-rows", format.0.unwrap_or_default(), list).await
    }
}
