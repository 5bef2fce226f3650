//! The parts of the page that are about one shop.

use std::fmt::Write;

use super::html::safe;
use super::view::form;
use super::words::{colour, of_act, of_seller, of_wildberries};
use crate::acts::BuyerAct;
use crate::order::Order;
use crate::seller::Seller;
use crate::supply::Supply;
use crate::world::World;

const ORDERS: usize = 40;
const SUPPLIES: usize = 20;

pub(super) fn write(to: &mut String, world: &World, seller: &Seller) -> std::fmt::Result {
    glance(to, seller)?;
    orders(to, world, seller)?;
    supplies(to, seller)?;
    warehouses(to, seller)
}

fn glance(to: &mut String, seller: &Seller) -> std::fmt::Result {
    let counts = seller.order_counts();
    let total = seller.order_count();
    write!(to, "<h2>{}</h2>", safe(seller.name()))?;
    write!(
        to,
        "<p>Карточек {}, складов {}, поставок {}, заказов {total}. <span class=\"quiet\">sid {}</span></p>",
        seller.card_count(),
        seller.warehouses().len(),
        seller.supply_count(),
        seller.sid()
    )?;
    to.push_str("<svg class=\"bar\" viewBox=\"0 0 1000 22\" preserveAspectRatio=\"none\" role=\"img\">");
    let mut left = 0;
    for ((mine, theirs), count) in counts.iter().filter(|(_, count)| **count > 0) {
        let wide = (count * 1000).div_ceil(total.max(1));
        write!(
            to,
            "<rect x=\"{left}\" width=\"{wide}\" height=\"22\" fill=\"{}\"><title>{} / {}: {count}</title></rect>",
            colour(*mine, *theirs),
            of_seller(*mine),
            of_wildberries(*theirs)
        )?;
        left += wide;
    }
    to.push_str("</svg><table><tr><th>Продавец</th><th>Wildberries</th><th class=\"number\">Заказов</th></tr>");
    for ((mine, theirs), count) in counts.iter().filter(|(_, count)| **count > 0) {
        let (mine, theirs) = (of_seller(*mine), of_wildberries(*theirs));
        write!(to, "<tr><td>{mine}</td><td>{theirs}</td><td class=\"number\">{count}</td></tr>")?;
    }
    to.push_str("</table>");
    Ok(())
}

fn orders(to: &mut String, world: &World, seller: &Seller) -> std::fmt::Result {
    let number = seller.number();
    write!(
        to,
        "<h2 id=\"orders\">Заказы</h2>{}<label>заказать <input type=\"number\" name=\"count\" min=\"1\" max=\"10000\" value=\"1\"></label>\
         <label>со склада <select name=\"warehouse\"><option value=\"\">любого</option>",
        form("orders", number)
    )?;
    for warehouse in seller.warehouses() {
        write!(to, "<option value=\"{}\">{}</option>", warehouse.id, safe(warehouse.name))?;
    }
    write!(
        to,
        "</select></label><label>размер (chrtId) <input name=\"chrt_id\" size=\"11\" inputmode=\"numeric\"></label>\
         <label><input type=\"checkbox\" name=\"in_stock\"> только из остатков</label>\
         <label><input type=\"checkbox\" name=\"marked\"> с маркировкой</label>\
         <label><input type=\"checkbox\" name=\"b2b\"> для компании</label>\
         <label><input type=\"checkbox\" name=\"not_pickup\"> не через пункт выдачи</label>\
         <button>разместить</button></form><br>\
         {}<label>сами приходят, в минуту <input type=\"number\" name=\"per_minute\" min=\"0\" step=\"any\" value=\"{}\"></label>\
         <button>пустить поток</button></form>",
        form("stream", number),
        seller.streaming()
    )?;
    to.push_str("<table><tr><th>Заказ</th><th>Товар</th><th>Продавец / Wildberries</th><th>Поставка</th><th>Этикетка</th><th>Дальше</th></tr>");
    for order in seller.latest_orders(ORDERS) {
        row(to, world, number, &order)?;
    }
    write!(to, "</table><p class=\"quiet\">Последние {ORDERS} из {}.</p>", seller.order_count())
}

fn row(to: &mut String, world: &World, seller: i64, order: &Order) -> std::fmt::Result {
    let lost = if order.reshipment { " · не нашли, к повторной отгрузке" } else { "" };
    write!(
        to,
        "<tr><td>{}<br><span class=\"quiet\">{}</span></td><td>{}<br><span class=\"quiet\">размер {}, {} ₽</span></td><td>{} / {}{lost}</td><td>{}</td><td>",
        order.id,
        order.created_at.format("%d.%m %H:%M"),
        safe(&order.article),
        order.chrt_id,
        order.price / 100,
        of_seller(order.supplier_status),
        of_wildberries(order.wb_status),
        order.supply_id().unwrap_or_default(),
    )?;
    if order.has_sticker() {
        write!(
            to,
            "<img class=\"label\" loading=\"lazy\" alt=\"этикетка заказа {0}\" src=\"/_sim/label.svg?seller={seller}&amp;order={0}\">",
            order.id
        )?;
    }
    to.push_str("</td><td>");
    let now = world.clock.now();
    let open: Vec<BuyerAct> = BuyerAct::ALL.into_iter().filter(|act| order.may(*act, now)).collect();
    if !open.is_empty() {
        write!(
            to,
            "{}<input type=\"hidden\" name=\"order\" value=\"{}\"><select name=\"act\">",
            form("act", seller),
            order.id
        )?;
        for act in open {
            let name = serde_json::to_value(act).unwrap_or_default();
            write!(to, "<option value=\"{}\">{}</option>", safe(name.as_str().unwrap_or_default()), of_act(act))?;
        }
        to.push_str("</select><button>да</button></form>");
    }
    to.push_str("</td></tr>");
    Ok(())
}

fn supplies(to: &mut String, seller: &Seller) -> std::fmt::Result {
    let number = seller.number();
    to.push_str("<h2 id=\"supplies\">Поставки</h2><table><tr><th>Поставка</th><th class=\"number\">Заказов</th><th class=\"number\">Грузомест</th><th>Где она</th><th>Код</th><th>Дальше</th></tr>");
    for supply in seller.latest_supplies(SUPPLIES) {
        supply_row(to, number, &supply)?;
    }
    to.push_str("</table>");
    Ok(())
}

fn supply_row(to: &mut String, seller: i64, supply: &Supply) -> std::fmt::Result {
    let id = supply.id();
    let place = match (supply.scanned_at, supply.closed_at) {
        (Some(at), _) => format!("принимается с {}", at.format("%d.%m %H:%M")),
        (None, Some(at)) => format!("передана {}", at.format("%d.%m %H:%M")),
        (None, None) => "на сборке".to_owned(),
    };
    let shipping = supply.shipping.as_ref().map_or_else(String::new, |shipping| format!(", отгрузка {}", shipping.day));
    write!(
        to,
        "<tr><td>{id}<br><span class=\"quiet\">{}</span></td><td class=\"number\">{}</td><td class=\"number\">{}</td><td>{place}{shipping}</td><td>",
        safe(&supply.name),
        supply.orders.len(),
        supply.boxes.len()
    )?;
    if supply.is_done() {
        write!(
            to,
            "<img class=\"label\" loading=\"lazy\" alt=\"код поставки {id}\" src=\"/_sim/supply.svg?seller={seller}&amp;supply={id}\">"
        )?;
    }
    let hidden = format!("<input type=\"hidden\" name=\"supply\" value=\"{id}\">");
    write!(
        to,
        "</td><td>{}{hidden}<input class=\"wide\" name=\"orders\" placeholder=\"номера заказов или все\"><button>отсканировать</button></form>\
         {}{hidden}<button>получить всё</button></form> {}{hidden}<button>потерять остальное</button></form></td></tr>",
        form("scan", seller),
        form("receive", seller),
        form("lose", seller)
    )
}

fn warehouses(to: &mut String, seller: &Seller) -> std::fmt::Result {
    let number = seller.number();
    let stocked = seller.stocked();
    to.push_str("<h2 id=\"warehouses\">Склады</h2><table><tr><th>Склад</th><th>Офис</th><th class=\"number\">Размеров</th><th class=\"number\">Единиц</th><th>Состояние</th><th></th></tr>");
    for warehouse in seller.warehouses() {
        let (sizes, units) = stocked.get(&warehouse.id).copied().unwrap_or_default();
        let (state, button) = match (warehouse.is_deleting, warehouse.is_processing) {
            (true, _) => ("удаляется", None),
            (false, true) => ("обновляется: остатки не принимаются", Some(("", "закончить обновление"))),
            (false, false) => {
                let busy = "<input type=\"hidden\" name=\"busy\" value=\"1\">";
                ("работает", Some((busy, "начать обновление")))
            }
        };
        write!(
            to,
            "<tr><td>{}<br><span class=\"quiet\">{}</span></td><td>{}</td><td class=\"number\">{sizes}</td><td class=\"number\">{units}</td><td>{state}</td><td>",
            safe(&warehouse.name),
            warehouse.id,
            warehouse.office_id
        )?;
        if let Some((busy, word)) = button {
            let id = warehouse.id;
            write!(
                to,
                "{}<input type=\"hidden\" name=\"warehouse\" value=\"{id}\">{busy}<button>{word}</button></form>",
                form("processing", number)
            )?;
        }
        to.push_str("</td></tr>");
    }
    to.push_str("</table>");
    Ok(())
}
