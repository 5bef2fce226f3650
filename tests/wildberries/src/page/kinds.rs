//! Kinds of faults as people choose them.

/// A kind as people choose it: its name, a word for it, and the number it takes with its usual value.
pub(super) type Offered = (&'static str, &'static str, Option<(&'static str, u32)>);

/// Every kind.
pub(super) const KINDS: &[Offered] = &[
    ("too_many", "429: слишком много запросов", Some(("retry", 30))),
    ("too_many_bare", "429 без заголовков", None),
    ("status", "ответ шлюза с этим кодом", Some(("status", 503))),
    ("plain_text", "простой текст вместо JSON", Some(("status", 500))),
    ("html", "HTML вместо JSON", Some(("status", 200))),
    ("conflict", "409: конфликт", None),
    ("drop", "обрыв до выполнения", None),
    ("drop_after_commit", "обрыв после выполнения", None),
    ("reset", "сброс соединения до выполнения", None),
    ("reset_after_commit", "сброс соединения после выполнения", None),
    ("hang", "молчание, ничего не сделано", None),
    ("hang_after_commit", "молчание, всё сделано", None),
    ("timeout_after_commit", "504 после выполнения", None),
    ("slow", "ответ опаздывает на столько мс", Some(("millis", 5000))),
    ("slow_bytes", "ответ капает раз в столько мс", Some(("millis", 200))),
    ("huge", "огромный ответ, МБ", Some(("megabytes", 20))),
    ("truncate", "ответ обрывается посреди JSON", None),
    ("extra_fields", "незнакомые поля", None),
    ("unknown_enum", "незнакомые статусы", None),
    ("shuffled", "списки в другом порядке", None),
    ("duplicated", "первая строка списка дважды", None),
    ("missing", "нет первых строк списка", Some(("count", 1))),
    ("missing_share", "нет случайных строк списка, %", Some(("percent", 30))),
    ("endless_pages", "список не кончается", None),
    ("shifted_pages", "строки переходят со страницы на страницу", None),
    ("ignored_rows", "204 без действия для строк остатков, %", Some(("percent", 30))),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fault::Fault;

    #[test]
    fn every_kind_that_people_are_offered_is_one() {
        for (word, _, number) in KINDS {
            let mut body = json!({ "kind": word });
            if let Some((name, value)) = number {
                body[*name] = json!(value);
            }
            let fault: Fault = serde_json::from_value(body.clone()).unwrap();
            let back = serde_json::to_value(fault).unwrap();
            assert!(body.as_object().unwrap().iter().all(|(name, value)| back[name] == *value), "{back}");
        }
    }
}
