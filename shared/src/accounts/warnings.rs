//! What the owner of a token should know about it, although it is accepted.

use super::{Account, NEEDED_CATEGORIES};
use crate::wildberries::TokenKind;
use crate::wildberries::token::Category;

/// Something to know about a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenWarning {
    /// It may not leave the seller's own programs.
    Personal,
    /// It opens more than the warehouse needs.
    Excessive,
}

impl TokenWarning {
    /// Everything there is to know about this one.
    pub fn of(account: &Account) -> Vec<Self> {
        let unneeded = |category: &Category| !NEEDED_CATEGORIES.contains(category);
        let excessive = Category::ALL
            .iter()
            .filter(|category| unneeded(category))
            .any(|category| category.is_in(account.token_categories));
        [(account.token_kind == TokenKind::Personal, Self::Personal), (excessive, Self::Excessive)]
            .into_iter()
            .filter_map(|(holds, warning)| holds.then_some(warning))
            .collect()
    }

    /// For programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Personal => "personal_token",
            Self::Excessive => "excessive_categories",
        }
    }

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Personal => {
                "A personal token is for the seller's own programs: Wildberries forbids handing it to third parties or \
                 to cloud services. Keep this installation your own"
            }
            Self::Excessive => {
                "The token opens more than the warehouse needs: one with Content and Marketplace alone does less harm \
                 if it is ever lost"
            }
        }
    }

    /// The same in Russian.
    pub fn title_ru(self) -> &'static str {
        match self {
            Self::Personal => {
                "Персональный токен — для собственных программ продавца: Wildberries запрещает передавать его третьим \
                 лицам и облачным сервисам. Держите эту установку у себя"
            }
            Self::Excessive => {
                "Токен открывает больше, чем нужно складу: токен только с категориями «Контент» и «Маркетплейс» \
                 безопаснее, если он когда-нибудь утечёт"
            }
        }
    }
}
