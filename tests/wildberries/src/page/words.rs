//! What people read instead of Wildberries' words.

use crate::acts::BuyerAct;
use crate::order::{SupplierStatus, WbStatus};

pub(super) fn of_seller(status: SupplierStatus) -> &'static str {
    match status {
        SupplierStatus::New => "новое",
        SupplierStatus::Confirm => "на сборке",
        SupplierStatus::Complete => "передано в доставку",
        SupplierStatus::Cancel => "отменено продавцом",
    }
}

pub(super) fn of_wildberries(status: WbStatus) -> &'static str {
    match status {
        WbStatus::Waiting => "ждёт",
        WbStatus::Sorted => "отсортировано",
        WbStatus::ReadyForPickup => "в пункте выдачи",
        WbStatus::Sold => "получено покупателем",
        WbStatus::Canceled => "отменено",
        WbStatus::CanceledByClient => "отказ покупателя",
        WbStatus::DeclinedByClient => "отменено в первый час",
        WbStatus::Defect => "брак",
        WbStatus::PostponedDelivery => "доставка задержана",
    }
}

/// A colour for the bar of all orders.
pub(super) fn colour(seller: SupplierStatus, wildberries: WbStatus) -> &'static str {
    match (wildberries, seller) {
        (WbStatus::Sold, _) => "#2a8f4f",
        (WbStatus::Waiting, SupplierStatus::New) => "#a10f8f",
        (WbStatus::Waiting, SupplierStatus::Confirm) => "#d0741c",
        (WbStatus::Waiting, SupplierStatus::Complete | SupplierStatus::Cancel) => "#3a76c4",
        (WbStatus::Sorted | WbStatus::ReadyForPickup | WbStatus::PostponedDelivery, _) => "#4aa5b5",
        (WbStatus::Canceled | WbStatus::CanceledByClient | WbStatus::DeclinedByClient | WbStatus::Defect, _) => "#888",
    }
}

pub(super) fn of_act(act: BuyerAct) -> &'static str {
    match act {
        BuyerAct::Cancel => "покупатель отменяет",
        BuyerAct::Decline => "покупатель передумал в первый час",
        BuyerAct::WbCancel => "Wildberries отменяет",
        BuyerAct::Sort => "принять на сортировке",
        BuyerAct::Arrive => "прибыло в пункт выдачи",
        BuyerAct::Receive => "покупатель получил",
        BuyerAct::Refuse => "отказ в пункте выдачи",
        BuyerAct::Defect => "брак",
        BuyerAct::Postpone => "доставка задержана",
    }
}

/// Anchors of the page's parts.
pub(super) fn part_of(form: &str) -> &'static str {
    match form {
        "orders" | "stream" | "act" => "orders",
        "scan" | "receive" | "lose" => "supplies",
        "processing" => "warehouses",
        "fault" | "fault-off" | "faults-off" => "faults",
        _ => "top",
    }
}
