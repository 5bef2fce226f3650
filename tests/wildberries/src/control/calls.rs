//! The list of control calls, which `GET /_control` answers.

/// Call, body, meaning.
pub(super) const CALLS: &[(&str, &str, &str)] = &[
    ("GET /_control", "", "this list"),
    (
        "POST /_control/sellers",
        "{name?, cards?, warehouses?, marked?, large?}",
        "open a seller's account; answers its number, sid, token and warehouses",
    ),
    ("GET /_control/sellers", "", "all sellers"),
    (
        "GET /_control/sellers/{seller}?limit=100",
        "",
        "state: orders (latest first), supplies, stickers; a seller is named by number or sid",
    ),
    (
        "POST /_control/sellers/{seller}/tokens",
        "{kind?: personal|service|base|test, categories?, expiresAt?, readOnly?}",
        "mint a token",
    ),
    ("POST /_control/tokens/withdraw", "{token}", "withdraw a token"),
    (
        "POST /_control/sellers/{seller}/orders",
        "{count?, chrtId?, warehouseId?, price?, createdAt?, inStock?, b2b?, crossBorder?, cargoType?, pickupPoint?, zero?, required?, optional?}",
        "place orders",
    ),
    ("PUT /_control/sellers/{seller}/stream", "{perMinute}", "orders that keep coming; 0 stops them"),
    (
        "POST /_control/sellers/{seller}/orders/{order}/acts",
        "{act: cancel|decline|wb_cancel|sort|arrive|receive|refuse|defect|postpone}",
        "the buyer or Wildberries acts",
    ),
    ("POST /_control/sellers/{seller}/orders/{order}/labels", "{key, decision}", "verify or reject a label identifier"),
    ("POST /_control/sellers/{seller}/supplies/{supply}/scan", "{orders?}", "Wildberries scans a supply"),
    ("POST /_control/sellers/{seller}/supplies/{supply}/lose", "", "what was not scanned goes to reshipment"),
    ("PATCH /_control/sellers/{seller}/cards/{nmId}", "{title?, trashed?}", "change a card or put it into the bin"),
    ("PATCH /_control/sellers/{seller}/warehouses/{warehouse}", "{isProcessing}", "make a warehouse busy"),
    (
        "POST /_control/sellers/{seller}/card-errors",
        "{cards: [{vendorCode, errors, subject?, brand?}]}",
        "Wildberries refuses cards that were sent together",
    ),
    ("POST /_control/sellers/{seller}/prices/{nmId}/release", "", "confirm a price that lies in quarantine"),
    ("PUT /_control/sellers/{seller}/stocks", "{warehouseId, chrtId, amount}", "set the stock Wildberries believes in"),
    ("GET|PUT /_control/limits", "{limits: real|off|FACTOR}", "budgets"),
    (
        "GET|POST|DELETE /_control/faults",
        "{kind, path?, method?, seller?, times?, share?, until?, forMillis?, …}",
        "for the next `times` calls, for a `share` of all, or until a moment. Kinds: too_many{retry} too_many_bare status{status} plain_text{status} html{status} conflict{code?} drop drop_after_commit reset reset_after_commit hang hang_after_commit timeout_after_commit slow{millis} slow_bytes{bytes?, millis} huge{megabytes} truncate extra_fields unknown_enum shuffled duplicated missing{count} missing_share{percent} endless_pages shifted_pages ignored_rows{percent} mutated{at, change: gone|{renamed}|{became}}",
    ),
    ("DELETE /_control/faults/{number}", "", "take one fault away"),
    ("GET /_control/faults/ignored", "", "rows of stock updates that were answered 204 and changed nothing"),
    ("GET|PUT /_control/clock", "{at?, advanceSeconds?, rate?}", "time"),
    ("GET|PUT /_control/rules", "{shippingRequired?, boxes?: half|one_more}", "rules that may be turned back"),
    ("GET|DELETE /_control/exchanges?last=100", "", "what was asked and answered"),
    ("GET /_control/statistics", "", "counts by path and status"),
    ("POST /_control/reset", "", "forget all sellers, faults and exchanges"),
];
