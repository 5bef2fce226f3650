//! The closed registry of acts that are audited.

macro_rules! actions {
    ($($name:ident = $code:literal, $title:literal, $russian:literal;)+) => {
        /// What was done. Codes are stable: they are kept for a year and searched by. Alphabetical, append-only.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Action {
            $(#[doc = $title] $name,)+
        }

        impl Action {
            /// Every act there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stable code, written `noun.participle`.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// In English.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }

            /// In Russian.
            pub fn title_ru(self) -> &'static str {
                match self { $(Self::$name => $russian,)+ }
            }

            /// The act with this code; a code that a newer program wrote is not known here.
            pub fn find(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|action| action.code() == code)
            }
        }
    };
}

actions! {
    AccessDenied = "access.denied", "Something was asked for that the role does not allow", "Отказано в доступе";
    AccountBlocked = "account.blocked", "Wildberries refused an account's token", "Wildberries отклонил токен кабинета";
    AccountConnected = "account.connected", "A seller account was stored with its token", "Добавлен кабинет продавца с токеном";
    AccountTokenReplaced = "account.token_replaced", "An account's token was replaced", "Токен кабинета заменён";
    AlarmAcknowledged = "alarm.acknowledged", "Somebody has seen an alarm", "Тревога принята";
    ApiKeyCreated = "api_key.created", "A service key was made", "Создан сервисный ключ";
    ApiKeyRevoked = "api_key.revoked", "A service key was revoked", "Сервисный ключ отозван";
    CategoryChanged = "category.changed", "A category was changed", "Изменена категория товаров";
    CategoryCreated = "category.created", "A category was made", "Создана категория товаров";
    CategoryRemoved = "category.removed", "A category was removed", "Удалена категория товаров";
    CellChanged = "cell.changed", "A cell was changed", "Изменена ячейка";
    CellsAdded = "cells.added", "Cells were added to a warehouse", "На склад добавлены ячейки";
    CellsArchived = "cells.archived", "Cells were taken out of use", "Ячейки выведены из работы";
    CellsBlocked = "cells.blocked", "Cells were blocked", "Ячейки заблокированы";
    CellsRestored = "cells.restored", "Cells were taken into use again", "Ячейки снова в работе";
    CellsUnblocked = "cells.unblocked", "Cells were unblocked", "Ячейки разблокированы";
    CountApproved = "count.approved", "A stock count was approved", "Инвентаризация подтверждена";
    CountCancelled = "count.cancelled", "A stock count was called off", "Инвентаризация отменена";
    CountChanged = "count.changed", "The plan of a stock count was changed", "Изменён план инвентаризации";
    CountExplained = "count.explained", "Differences of a stock count got their reasons", "Указаны причины расхождений";
    CountPlanned = "count.planned", "A stock count was planned", "Запланирована инвентаризация";
    CountPosted = "count.posted", "A stock count was posted", "Инвентаризация проведена";
    CountRecounted = "count.recounted", "Lines of a stock count are to be recounted", "Назначен пересчёт строк инвентаризации";
    CountRejected = "count.rejected", "A stock count was rejected", "Инвентаризация отклонена";
    CountReviewed = "count.reviewed", "A stock count was sent to review", "Инвентаризация передана на проверку";
    CountStarted = "count.started", "A stock count was started", "Инвентаризация начата";
    CountTallied = "count.tallied", "Somebody counted", "Внесены результаты пересчёта";
    DriftAcknowledged = "drift.acknowledged", "Somebody has seen a change in Wildberries' answers", "Изменение в ответах Wildberries принято к сведению";
    EnterpriseChanged = "enterprise.changed", "An enterprise was changed", "Изменены данные предприятия";
    EnterpriseCreated = "enterprise.created", "An enterprise was founded", "Создано предприятие";
    EnterpriseStatusSet = "enterprise.status_set", "An enterprise was suspended or activated", "Предприятие приостановлено или возобновлено";
    GoodsReceiptPosted = "goods_receipt.posted", "A goods receipt was posted", "Проведена приёмка";
    IdentityConfirmed = "identity.confirmed", "Somebody proved again who they are", "Личность подтверждена повторно";
    IdentityRefused = "identity.refused", "Somebody did not prove who they are", "Личность не подтверждена";
    JobCancelled = "job.cancelled", "A job was taken back", "Задание отменено";
    PasswordChanged = "password.changed", "A password was changed", "Пароль изменён";
    PasswordResetAsked = "password.reset_asked", "A letter for a new password was asked for somebody", "Запрошен сброс пароля сотрудника";
    PrintItemResolved = "print_item.resolved", "Somebody said what became of an uncertain label", "Указан исход неясной этикетки";
    PrintJobCancelled = "print_job.cancelled", "A print job was taken back", "Задание печати отменено";
    PrintJobCreated = "print_job.created", "Labels were sent to a printer", "Этикетки отправлены на печать";
    PrinterAdded = "printer.added", "A printer was added", "Добавлен принтер";
    ProductArchived = "product.archived", "A product was archived", "Товар отправлен в архив";
    ProductChanged = "product.changed", "A product was changed", "Изменён товар";
    ProductCreated = "product.created", "A product was made", "Создан товар";
    ProductRestored = "product.restored", "A product was brought back", "Товар возвращён из архива";
    ProductImportChecked = "product_import.checked", "The dry run of an import was asked for", "Запущена проверка импорта товаров";
    ProductImportColumnsSet = "product_import.columns_set", "Somebody said what an import's columns mean", "Заданы столбцы импорта товаров";
    ProductImportCommitted = "product_import.committed", "An import was told to write its rows", "Запущена запись импорта товаров";
    ProductImportCreated = "product_import.created", "A file of products was read", "Загружен файл товаров";
    ProductImportUndone = "product_import.undone", "An import was told to take its rows back", "Запущена отмена импорта товаров";
    PublicationApproved = "publication.approved", "A large rise of published stock was approved", "Подтверждено крупное увеличение публикуемых остатков";
    PublicationRejected = "publication.rejected", "A large rise of published stock was rejected", "Отклонено крупное увеличение публикуемых остатков";
    PublishingFrozen = "publishing.frozen", "Publishing was frozen: zero for everything", "Публикация остановлена: все остатки равны нулю";
    PublishingQuotasSet = "publishing.quotas_set", "Quotas of products were set", "Заданы квоты товаров";
    PublishingRuleSet = "publishing.rule_set", "Safety and quota of a Wildberries warehouse were set", "Заданы страховой запас и квота склада Wildberries";
    PublishingStated = "publishing.stated", "It was stated what is to be published", "Определены остатки для публикации";
    PublishingThawed = "publishing.thawed", "Publishing goes on", "Публикация возобновлена";
    QuarantineReplayed = "quarantine.replayed", "Somebody had the quarantine of Wildberries' answers read again", "Запущено повторное чтение карантина ответов Wildberries";
    ReceiptSheetCancelled = "receipt_sheet.cancelled", "A receipt sheet was cancelled", "Приёмочный лист отменён";
    ReceiptSheetCounted = "receipt_sheet.counted", "Goods that came were counted", "Посчитан поступивший товар";
    ReceiptSheetOpened = "receipt_sheet.opened", "A receipt sheet was opened", "Открыт приёмочный лист";
    RequestAssigned = "request.assigned", "A request was given to somebody", "Заявка назначена исполнителю";
    RequestCreated = "request.created", "A request was made", "Создана заявка";
    RequestMoved = "request.moved", "A request went to another status", "Изменён статус заявки";
    RoleChanged = "role.changed", "A role was changed", "Роль изменена";
    RoleCreated = "role.created", "A role was made", "Создана роль";
    RoleDeleted = "role.deleted", "A role was deleted", "Роль удалена";
    SecondFactorRecoveryRenewed = "second_factor.recovery_renewed", "Recovery codes were renewed", "Коды восстановления обновлены";
    SecondFactorRemoved = "second_factor.removed", "A second factor was switched off", "Второй фактор отключён";
    SecondFactorSet = "second_factor.set", "A second factor was switched on", "Второй фактор включён";
    SessionEnded = "session.ended", "A session or several were ended", "Сеансы завершены";
    SessionOpened = "session.opened", "Somebody signed in", "Выполнен вход";
    SessionRefused = "session.refused", "Somebody did not get in", "Вход отклонён";
    SessionTokenReused = "session.token_reused", "A spent refresh token came again: the session is over", "Использованный токен обновления пришёл снова: сеанс завершён";
    StockAdjusted = "stock.adjusted", "Balances were corrected", "Остатки исправлены";
    StockHeld = "stock.held", "Goods were put on hold", "Товар заблокирован";
    StockMoved = "stock.moved", "Goods were moved from cell to cell", "Товар перемещён между ячейками";
    StockReleased = "stock.released", "Holds or reservations were released", "Сняты блокировки или резервы";
    StockReserved = "stock.reserved", "Goods were reserved by hand", "Товар зарезервирован вручную";
    StockReturned = "stock.returned", "Goods came back from buyers", "Принят возврат товара";
    StockWrittenOff = "stock.written_off", "Goods were written off", "Товар списан";
    SupplyCreated = "supply.created", "A supply was made", "Создана поставка";
    SupplyDelivered = "supply.delivered", "A supply was handed to delivery", "Поставка передана в доставку";
    SupplyPublished = "supply.published", "A supply was sent to Wildberries again", "Поставка повторно отправлена в Wildberries";
    SupplyShippingSet = "supply.shipping_set", "A supply's shipping was set", "Заданы параметры отгрузки поставки";
    SyncStarted = "sync.started", "A sync was started by hand", "Синхронизация запущена вручную";
    TransferCancelled = "transfer.cancelled", "A transfer was cancelled", "Перемещение между складами отменено";
    TransferClosed = "transfer.closed", "It was explained what does not come of a transfer", "Объяснены недошедшие товары перемещения";
    TransferPlanned = "transfer.planned", "A transfer was planned", "Запланировано перемещение между складами";
    TransferReceived = "transfer.received", "Goods of a transfer were received", "Приняты товары перемещения";
    TransferSent = "transfer.sent", "A transfer was sent", "Перемещение отправлено";
    UserChanged = "user.changed", "A person, their state or their grants were changed", "Изменены данные, состояние или права пользователя";
    UserCreated = "user.created", "A person was taken into the enterprise", "Добавлен пользователь";
    UserEmailAsked = "user.email_asked", "Somebody asked for another address of e-mail", "Запрошена смена адреса почты";
    UserEmailChanged = "user.email_changed", "Somebody's address of e-mail was changed by themselves", "Пользователь сменил свой адрес почты";
    UserInvited = "user.invited", "Somebody was invited", "Отправлено приглашение";
    UserRemoved = "user.removed", "A person was taken out of the enterprise", "Пользователь исключён из предприятия";
    WarehouseArchived = "warehouse.archived", "A warehouse was archived", "Склад отправлен в архив";
    WarehouseChanged = "warehouse.changed", "A warehouse was changed", "Изменён склад";
    WarehouseCreated = "warehouse.created", "A warehouse was opened", "Открыт склад";
    WarehouseRestored = "warehouse.restored", "A warehouse was opened again", "Склад возвращён из архива";
    WildberriesWarehouseLinked = "wildberries_warehouse.linked", "An own warehouse was linked to one of Wildberries'", "Склад Wildberries привязан к своему складу";
    WildberriesWarehouseUnlinked = "wildberries_warehouse.unlinked", "A Wildberries warehouse was unlinked", "Склад Wildberries отвязан";
    ZoneChanged = "zone.changed", "A zone was changed", "Изменена зона";
    ZoneCreated = "zone.created", "A zone was made", "Создана зона";
    ZoneDeleted = "zone.deleted", "A zone was removed", "Зона удалена";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_sorted_and_have_names_in_two_languages() {
        let codes: Vec<_> = Action::ALL.iter().map(|action| action.code()).collect();
        let mut sorted = codes.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(codes, sorted);
        for action in Action::ALL {
            assert_eq!(Action::find(action.code()), Some(*action));
            assert!(action.title().is_ascii() && !action.title_ru().is_ascii(), "{}", action.code());
        }
    }
}
