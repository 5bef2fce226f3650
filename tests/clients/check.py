"""Walks a seller's work against the simulator with `wildberries-sdk`, which knows Wildberries from other documents than we do:
those of October 2026, with the shipping parameters, transfers and boxes of that autumn. Its models refuse whatever is not
typed as they expect.

Usage: check.py URL NUMBER_OF_THE_SELLER, with the token in WB_TOKEN. Ends with 0 when every call was understood by both sides.
"""

import base64
import json
import os
import sys
import urllib.request
from datetime import datetime, timezone

from wildberries_sdk import general, items, orders_fbs, rates

URL, SELLER = sys.argv[1], sys.argv[2]
TOKEN = os.environ["WB_TOKEN"]


def client(package):
    """A client of the package that talks to the simulator, whatever hosts its methods name."""
    where = package.Configuration(host=URL, api_key={"HeaderApiKey": TOKEN}, ignore_operation_servers=True)
    return package.DefaultApi(package.ApiClient(where))


fbs, goods, money, common = client(orders_fbs), client(items), client(rates), client(general)
walked: list[str] = []
failed: list[str] = []


def step(name, call, *arguments, **named):
    """Makes one call; what the client cannot read is a failure, and the walk goes on."""
    walked.append(name)
    try:
        return call(*arguments, **named)
    except Exception as error:  # noqa: BLE001 - a generated client throws whatever it likes
        failed.append(f"{name}: {type(error).__name__}: {str(error)[:600]}")
        return None


def refused(name, status, call, *arguments, **named):
    """Makes a call that must be refused with this status."""
    walked.append(name)
    try:
        call(*arguments, **named)
        failed.append(f"{name}: was not refused")
    except Exception as error:  # noqa: BLE001
        if getattr(error, "status", None) != status:
            failed.append(f"{name}: {type(error).__name__}: {str(error)[:600]}")


def expect(what, holds):
    if not holds:
        failed.append(f"{what}: does not hold")


def control(method, path, body=None):
    """Plays the buyer and Wildberries."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{URL}/_control/{path}", data=data, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def shop():
    step("ping", common.get_ping)
    expect("the token's seller", step("seller", common.get_v1_seller_info) is not None)
    cursor = {"limit": 100}
    settings = {"cursor": cursor, "filter": {"withPhoto": -1}, "sort": {"ascending": True}}
    cards = step("cards", goods.post_v2_get_cards_list, {"settings": settings})
    expect("cards", cards and len(cards.cards) == 100)
    step("bin", goods.post_v2_get_cards_trash, {"settings": {"cursor": {"limit": 10}}})
    step("refused cards", goods.post_v2_cards_error_list, {"cursor": {"limit": 10}, "order": {"ascending": True}})
    step("offices", goods.get_v3_offices)
    warehouses = step("warehouses", goods.get_v3_warehouses)
    opened = step("open a warehouse", goods.post_v3_warehouses, {"name": "Ещё один", "officeId": 707})
    step("change a warehouse", goods.put_v3_warehouses_warehouse_id, opened.id, {"name": "Другой", "officeId": 707})
    step("give up a warehouse", goods.delete_v3_warehouses_warehouse_id, opened.id)
    sizes = [card.sizes[0].chrt_id for card in cards.cards]
    rows = {"stocks": [{"chrtId": size, "amount": 5} for size in sizes]}
    step("write stocks", goods.put_v3_stocks_warehouse_id, warehouses[0].id, rows)
    read = step("read stocks", goods.post_v3_stocks_warehouse_id, warehouses[0].id, {"chrtIds": sizes})
    expect("stocks", read and sorted(row.chrt_id for row in read.stocks) == sorted(sizes))
    step("delete stocks", goods.delete_v3_stocks_warehouse_id, warehouses[0].id, {"chrtIds": sizes[:1]})
    return cards.cards, warehouses[0].id


def prices(cards):
    step("prices", goods.get_v2_list_goods_filter, limit=10, offset=0)
    step("prices of some", goods.post_v2_list_goods_filter, {"nmList": [cards[0].nm_id]})
    rows = {"data": [{"nmID": cards[0].nm_id, "price": 77_777}, {"nmID": cards[1].nm_id, "price": 1, "discount": 0}]}
    task = step("upload prices", goods.post_v2_upload_task, rows)
    again = step("upload them again", goods.post_v2_upload_task, rows)
    expect("the same task", again and again.data.id == task.data.id)
    control("PUT", "clock", {"advanceSeconds": 10})
    done = step("state of the upload", goods.get_v2_history_tasks, upload_id=task.data.id)
    expect("half of it is done", done and done.data.status == 5)
    step("rows of the upload", goods.get_v2_history_goods_task, limit=10, upload_id=task.data.id)
    held = step("quarantine", goods.get_v2_quarantine_goods, limit=10)
    expect("one price is held back", held and len(held.data.quarantine_goods) == 1)


def orders(warehouse):
    placed = control("POST", f"sellers/{SELLER}/orders", {"count": 4, "warehouseId": warehouse})["orders"]
    marked = control("POST", f"sellers/{SELLER}/orders", {"warehouseId": warehouse, "required": ["sgtin"]})["orders"][0]
    new = step("new orders", fbs.get_v3_orders_new)
    expect("they are new", new and set(placed) <= {order.id for order in new.orders})
    step("all orders", fbs.get_v3_orders, limit=1000, next=0)
    step("statuses", fbs.post_v3_orders_status, {"orders": placed})
    step("cancel", fbs.patch_v3_orders_order_id_cancel, placed[3])
    supply = step("open a supply", fbs.post_v3_supplies, {"name": "Утро"}).id
    step("add orders", fbs.patch_v3_supplies_supply_id_orders, supply, {"orders": [*placed[:3], marked]})
    step("ids of its orders", fbs.get_v3_supplies_supply_id_order_ids, supply)
    code = "0104600000000000215abcdefghijkl\x1d91ABCD\x1d92signature"
    step("write a code", fbs.put_v3_orders_order_id_meta_sgtin, marked, {"sgtins": [code]})
    step("read codes", fbs.post_v3_orders_meta, {"orders": [marked]})
    control("PUT", "clock", {"advanceSeconds": 5})
    for kind in ("svg", "png", "zplv", "zplh"):
        labels = step(f"labels as {kind}", fbs.post_v3_orders_stickers, kind, 58, 40, {"orders": placed[:3]})
        expect(f"labels as {kind}", labels and len(labels.stickers) == 3)
    expect("it is a label", base64.b64decode(labels.stickers[0].file).startswith(b"^XA"))
    return supply, placed


def supplies(supply, placed):
    made = step("add boxes", fbs.post_v3_supplies_supply_id_trbx, supply, {"amount": 2})
    refused("too many boxes", 400, fbs.post_v3_supplies_supply_id_trbx, supply, {"amount": 1})
    step("boxes", fbs.get_v3_supplies_supply_id_trbx, supply)
    ids = {"trbxIds": made.trbx_ids}
    step("labels of boxes", fbs.post_v3_supplies_supply_id_trbx_stickers, supply, "svg", ids)
    step("delete boxes", fbs.delete_v3_supplies_supply_id_trbx, supply, ids)
    refused("deliver without shipping parameters", 409, fbs.patch_v3_supplies_supply_id_deliver, supply)
    day = control("GET", "clock")["now"][:10]
    step("points", fbs.get_v3_fbs_supplies_supply_id_shipping_points, supply, "Москва", "sc,pp", day)
    row = {"supplyId": supply, "shippingDt": day, "shippingPointId": 1000, "shippingType": "selfShipping"}
    chosen = step("shipping parameters", fbs.patch_v3_fbs_supplies_shipping_method, {"data": [row]})
    expect("they are taken", chosen and chosen.results[0].success)
    step("deliver", fbs.patch_v3_supplies_supply_id_deliver, supply)
    step("code of the supply", fbs.get_v3_supplies_supply_id_barcode, supply, "svg")
    other = step("open another supply", fbs.post_v3_supplies, {"name": "Вечер"}).id
    body = {"orderIds": [placed[0]], "newSupplyId": other}
    moved = step("back to assembly", fbs.patch_v3_fbs_supplies_supply_id_orders_transfer, supply, body)
    expect("it went back", moved and moved.transferred_orders[0].success)
    step("one supply", fbs.get_v3_supplies_supply_id, supply)
    step("an open supply", fbs.get_v3_supplies_supply_id, other)
    empty = step("open an empty supply", fbs.post_v3_supplies, {"name": "Пусто"}).id
    step("an empty supply", fbs.get_v3_supplies_supply_id, empty)
    step("all supplies", fbs.get_v3_supplies, limit=100, next=0)
    step("delete a supply", fbs.delete_v3_supplies_supply_id, empty)
    control("POST", f"sellers/{SELLER}/supplies/{supply}/scan", {"orders": placed[1:2]})
    control("POST", f"sellers/{SELLER}/supplies/{supply}/lose")
    lost = step("reshipment", fbs.get_v3_supplies_orders_reshipment)
    expect("what was not found", lost and placed[2] in [order.order_id for order in lost.orders])


def the_rest():
    step("offices of passes", fbs.get_v3_passes_offices)
    driver = {"firstName": "Иван", "lastName": "Кузнецов", "carModel": "ГАЗель", "carNumber": "А123БВ77", "officeId": 117}
    ordered = step("order a pass", fbs.post_v3_passes, driver)
    step("passes", fbs.get_v3_passes)
    step("change a pass", fbs.put_v3_passes_pass_id, ordered.id, driver)
    step("delete a pass", fbs.delete_v3_passes_pass_id, ordered.id)
    for name, call in (("boxes", money.get_v1_tariffs_box), ("pallets", money.get_v1_tariffs_pallet), ("returns", money.get_v1_tariffs_return)):
        step(f"tariffs of {name}", call, "2026-11-25")
    # The client tries to tell by the fields which country's commissions these are, and all of its shapes fit: read it raw.
    raw = step("commissions", money.get_v1_tariffs_commission_without_preload_content)
    expect("commissions", raw and len(json.loads(raw.data)["report"]) > 0)
    then = datetime.fromisoformat(control("GET", "clock")["now"]).astimezone(timezone.utc)
    control("PUT", "clock", {"advanceSeconds": 100 * 86_400})
    archive = step("archive", fbs.get_v3_fbs_orders_archive, year=then.year, month=then.month, next=0, limit=100)
    expect("the archive", archive and len(archive.orders) > 0)


def main():
    cards, warehouse = shop()
    prices(cards)
    supplies(*orders(warehouse))
    the_rest()
    for what in failed:
        print(what)
    print(f"{len(walked)} calls of wildberries-sdk, {len(failed)} not understood")
    sys.exit(1 if failed else 0)


main()
