//! The document itself, and what belongs to no shop.

use std::fmt::Write;
use std::sync::Arc;

use super::html::{beginning, safe};
use super::kinds::KINDS;
use super::{Fields, Said, shop};
use crate::exchange::Exchange;
use crate::limits::Limits;
use crate::rules::BoxRule;
use crate::seller::Seller;
use crate::world::{World, lock};

const EXCHANGES: usize = 30;

pub(super) fn page(world: &Arc<World>, seller: Option<&Seller>, fields: &Fields, said: &Said) -> String {
    let mut to = String::with_capacity(64 << 10);
    // Writing into memory cannot fail.
    let _ = write(&mut to, world, seller, fields, said);
    to
}

fn write(
    to: &mut String,
    world: &Arc<World>,
    seller: Option<&Seller>,
    fields: &Fields,
    said: &Said,
) -> std::fmt::Result {
    to.push_str("<!DOCTYPE html><html lang=\"ru\"><head><meta charset=\"utf-8\"><title>Симулятор Wildberries</title>");
    to.push_str(
        "<meta name=\"viewport\" content=\"width=device-width\"><link rel=\"stylesheet\" href=\"/_sim/style.css\">",
    );
    let every =
        fields.get("every").and_then(|text| text.parse::<u32>().ok()).filter(|every| (1..=3600).contains(every));
    if let Some(every) = every {
        write!(to, "<meta http-equiv=\"refresh\" content=\"{every}\">")?;
    }
    to.push_str("</head><body id=\"top\"><h1>Симулятор Wildberries</h1>");
    match said {
        Said::Nothing => {}
        Said::Done(text) => write!(to, "<p class=\"said\">{}</p>", safe(text))?,
        Said::Wrong(text) => write!(to, "<p class=\"wrong\">Не получилось: {}</p>", safe(text))?,
        Said::Token(token) => write!(
            to,
            "<p class=\"said\">Токен магазина на 180 дней. Другого такого не покажем: каждый раз новый.</p>\
             <textarea readonly rows=\"4\">{}</textarea>",
            safe(token)
        )?,
    }
    let number = seller.map_or(0, Seller::number);
    clock(to, world, number)?;
    sellers(to, world, number)?;
    if let Some(seller) = seller {
        shop::write(to, world, seller)?;
    }
    faults(to, world, number)?;
    exchanges(to, world)?;
    to.push_str("</body></html>\n");
    Ok(())
}

/// The beginning of a form that comes back to this seller.
pub(super) fn form(action: &str, seller: i64) -> String {
    format!(
        "<form method=\"post\" action=\"/_sim/{action}\"><input type=\"hidden\" name=\"seller\" value=\"{seller}\">"
    )
}

fn clock(to: &mut String, world: &World, seller: i64) -> std::fmt::Result {
    let (now, rate) = (world.clock.now(), world.clock.rate());
    let rules = *lock(&world.rules);
    let limits = lock(&world.budgets).limits();
    write!(to, "<h2>Часы и правила</h2><p>Сейчас у Wildberries <b>{}</b> UTC, ", now.format("%d.%m.%Y %H:%M:%S"))?;
    write!(to, "часы идут в {rate} раз быстрее настоящих.</p>")?;
    for (minutes, word) in [(10, "+10 минут"), (60, "+1 час"), (1440, "+1 день")] {
        write!(to, "{}<button name=\"minutes\" value=\"{minutes}\">{word}</button></form> ", form("clock", seller))?;
    }
    write!(
        to,
        "{}<label>скорость <input type=\"number\" name=\"rate\" min=\"0\" step=\"any\" value=\"{rate}\"></label>\
         <button>пустить</button></form><br>",
        form("clock", seller)
    )?;
    let checked = |on: bool| if on { " checked" } else { "" };
    let limits = match limits {
        Limits::Real => "real".to_owned(),
        Limits::Off => "off".to_owned(),
        Limits::Scaled(factor) => factor.to_string(),
    };
    write!(
        to,
        "{}<label><input type=\"checkbox\" name=\"shipping\"{}> поставке нужны параметры отгрузки</label>\
         <label><input type=\"checkbox\" name=\"boxes\"{}> грузомест на одно больше, чем заказов (старое правило)</label>\
         <label>лимиты (real, off или множитель) <input name=\"limits\" size=\"6\" value=\"{limits}\"></label>\
         <button>применить</button></form>",
        form("rules", seller),
        checked(rules.shipping_required),
        checked(rules.boxes == BoxRule::OneMore),
    )
}

fn sellers(to: &mut String, world: &Arc<World>, chosen: i64) -> std::fmt::Result {
    to.push_str("<h2>Магазины</h2><nav>");
    let cabinets: Vec<_> = lock(&world.cabinets).values().take(100).cloned().collect();
    for cabinet in cabinets {
        let seller = Seller { cabinet, world: world.clone() };
        let (number, name) = (seller.number(), seller.name());
        let mark = if number == chosen { "● " } else { "" };
        write!(to, "<a href=\"/_sim?seller={number}\">{mark}{number}. {}</a>", safe(name))?;
    }
    write!(
        to,
        "</nav>{}<input name=\"name\" maxlength=\"100\" placeholder=\"название\"><button>открыть ещё один</button></form> \
         {}<button>показать токен</button></form> <a href=\"/_sim?seller={chosen}&amp;every=5\">обновлять каждые 5 секунд</a>",
        form("seller", chosen),
        form("token", chosen),
    )
}

fn faults(to: &mut String, world: &World, seller: i64) -> std::fmt::Result {
    let on = lock(&world.faults).waiting(world.clock.now()).to_vec();
    to.push_str("<h2 id=\"faults\">Сбои</h2>");
    if on.is_empty() {
        to.push_str("<p class=\"quiet\">Сейчас ни одного.</p>");
    } else {
        to.push_str("<table><tr><th class=\"number\">№</th><th>Сбой</th><th>Где</th><th>Когда</th><th></th></tr>");
        for waiting in &on {
            let fault = &waiting.fault;
            let place = if fault.path.is_empty() { "везде" } else { &fault.path };
            let mut when: Vec<String> = Vec::new();
            when.extend(fault.times.map(|times| format!("ещё {times} раз")));
            when.extend(fault.share.map(|share| format!("в {:.0} % случаев", share * 100.0)));
            when.extend(fault.until.map(|until| format!("до {}", until.format("%d.%m %H:%M:%S"))));
            write!(
                to,
                "<tr><td class=\"number\">{0}</td><td>{1}</td><td>{2} {3}</td><td>{4}</td><td>{5}<input type=\"hidden\" name=\"number\" value=\"{0}\"><button>снять</button></form></td></tr>",
                waiting.number,
                safe(format!("{:?}", fault.kind)),
                safe(fault.method.as_deref().unwrap_or("")),
                safe(place),
                when.join(", "),
                form("fault-off", seller)
            )?;
        }
        write!(to, "</table>{}<button>снять все</button></form><br>", form("faults-off", seller))?;
    }
    write!(to, "{}<select name=\"kind\">", form("fault", seller))?;
    for (kind, title, parameter) in KINDS {
        let usual = parameter.map_or_else(String::new, |(_, usual)| format!(" [{usual}]"));
        write!(to, "<option value=\"{kind}\">{title}{usual}</option>")?;
    }
    to.push_str(
        "</select><label>число <input type=\"number\" name=\"value\" min=\"0\" placeholder=\"обычное\"></label>\
         <label>путь содержит <input name=\"path\" placeholder=\"любой\"></label>\
         <label>метод <select name=\"method\"><option value=\"\">любой</option><option>GET</option><option>POST</option><option>PUT</option><option>PATCH</option><option>DELETE</option></select></label>\
         <label>раз <input type=\"number\" name=\"times\" min=\"1\"></label>\
         <label>доля, % <input type=\"number\" name=\"percent\" min=\"0\" max=\"100\" step=\"any\"></label>\
         <label>секунд по часам <input type=\"number\" name=\"seconds\" min=\"1\"></label>\
         <label><input type=\"checkbox\" name=\"only_seller\"> только этому магазину</label>\
         <button>включить</button></form>\
         <p class=\"quiet\">Если не сказать ни сколько раз, ни доли, ни времени, сбой случится один раз.</p>",
    );
    Ok(())
}

fn exchanges(to: &mut String, world: &World) -> std::fmt::Result {
    let last = lock(&world.log).last(EXCHANGES);
    to.push_str("<h2 id=\"exchanges\">Последние обращения</h2><table><tr><th class=\"number\">№</th><th>Время</th><th>Обращение</th><th class=\"number\">Ответ</th><th class=\"number\">мс</th></tr>");
    for exchange in last.iter().rev() {
        exchange_row(to, exchange)?;
    }
    to.push_str("</table>");
    Ok(())
}

fn exchange_row(to: &mut String, exchange: &Exchange) -> std::fmt::Result {
    let query = if exchange.query.is_empty() { String::new() } else { format!("?{}", exchange.query) };
    let fault = exchange.fault.as_deref().map_or_else(String::new, |fault| format!(" · сбой {fault}"));
    write!(
        to,
        "<tr><td class=\"number\">{}</td><td>{}</td><td><details><summary>{} {}{}{}</summary><pre>{}</pre><pre>{}</pre></details></td><td class=\"number\">{}</td><td class=\"number\">{}</td></tr>",
        exchange.number,
        exchange.at.format("%H:%M:%S"),
        safe(&exchange.method),
        safe(&exchange.path),
        safe(beginning(&query, 200)),
        safe(fault),
        safe(beginning(&exchange.request, 2000)),
        safe(beginning(&exchange.response, 2000)),
        exchange.status,
        exchange.took_ms
    )
}
