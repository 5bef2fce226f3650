//! Which passwords are too easy to guess, told without asking anybody: how many guesses an attacker needs who knows the lists
//! of leaked passwords, names, words, keyboard rows, sequences, repetitions and dates (`zxcvbn` carries them), our own words,
//! and what is known of the person; and who tries Russian words on a Latin keyboard and the other way round.

use zxcvbn::zxcvbn;

/// Fewer guesses than ten to this power are too few, even at a few guesses a minute and many accounts.
const ENOUGH_LOG10: f64 = 8.0;
/// Looking at more than that only costs time: a password that is good for so long is good.
const LOOKED_AT: usize = 64;

/// What belongs to this product, its trade and its people. Lower case.
const OUR_WORDS: [&str; 58] = [
    "wb",
    "wbassistant",
    "wb-assistant",
    "wb assistant",
    "assistant",
    "wildberries",
    "wildberis",
    "vaildberriz",
    "marketplace",
    "seller",
    "warehouse",
    "storekeeper",
    "picker",
    "manager",
    "administrator",
    "enterprise",
    "sklad",
    "kladovshik",
    "postavka",
    "ostatki",
    "sborka",
    "tovar",
    "zakaz",
    "etiketka",
    "stiker",
    "romashka",
    "parol",
    "privet",
    "lubov",
    "rossiya",
    "moskva",
    "spartak",
    "вб",
    "вайлдберриз",
    "вайлдберис",
    "валдберис",
    "маркетплейс",
    "продавец",
    "склад",
    "кладовщик",
    "сборщик",
    "администратор",
    "предприятие",
    "поставка",
    "остатки",
    "товар",
    "заказ",
    "этикетка",
    "стикер",
    "ромашка",
    "пароль",
    "привет",
    "любовь",
    "россия",
    "москва",
    "спартак",
    "ключ",
    "доступ",
];

/// The keys of the two layouts, one above the other.
const LATIN: &str = "qwertyuiop[]asdfghjkl;'zxcvbnm,.`";
const RUSSIAN: &str = "йцукенгшщзхъфывапролджэячсмитьбюё";

/// Words shorter than that are in everything.
const A_WORD: usize = 4;
/// With fewer letters and fewer other signs beside known words, a password consists of them.
const LETTERS_OF_ITS_OWN: usize = 4;
const SIGNS_OF_ITS_OWN: usize = 9;

/// Whether somebody would guess it. `about` is what is known of the person: address, name.
pub(super) fn is_weak(password: &str, about: &[&str]) -> bool {
    let lower = password.to_lowercase();
    let looked_at: String = lower.chars().take(LOOKED_AT).collect();
    let on_latin = typed_on_latin(&looked_at);
    let words = words(about);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let guesses = |text: &str| zxcvbn(text, &words).guesses_log10();
    guesses(&looked_at).min(guesses(&on_latin)) < ENOUGH_LOG10 || consists_of(&lower, &words)
}

/// What is known of the person first: those are tried first. A word that was typed on the other layout is the same word.
fn words(about: &[&str]) -> Vec<String> {
    let about: Vec<String> = about.iter().map(|known| known.to_lowercase()).collect();
    let parts = about.iter().flat_map(|known| known.split(|character: char| !character.is_alphanumeric()));
    let plain = parts.chain(about.iter().map(String::as_str)).chain(OUR_WORDS).filter(|word| word.chars().count() > 1);
    let mut words: Vec<String> = plain.map(str::to_owned).collect();
    words.extend(words.clone().iter().map(|word| typed_on_latin(word)));
    words
}

/// Whether hardly anything is left of it without these words.
fn consists_of(password: &str, words: &[&str]) -> bool {
    let mut words: Vec<&str> = words.iter().copied().filter(|word| word.chars().count() >= A_WORD).collect();
    words.sort_unstable_by_key(|word| std::cmp::Reverse(word.len()));
    let rest = words.iter().fold(password.to_owned(), |rest, word| rest.replace(word, ""));
    let letters = rest.chars().filter(|character| character.is_alphabetic()).count();
    let signs = rest.chars().count() - letters;
    rest.len() < password.len() && letters < LETTERS_OF_ITS_OWN && signs < SIGNS_OF_ITS_OWN
}

/// What the same keys write on a Latin keyboard.
fn typed_on_latin(text: &str) -> String {
    let key = |character| RUSSIAN.chars().position(|russian| russian == character).and_then(|at| LATIN.chars().nth(at));
    text.chars().map(|character| key(character).unwrap_or(character)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_everybody_would_try_is_weak_in_either_alphabet() {
        let weak = [
            "passwordpassword",
            "password1234",
            "Password2024!",
            "qwertyuiop123",
            "1234567890123",
            "111111111111",
            "qwerty123456",
            "abcdefghijklmnop",
            "P@ssw0rd2024",
            "iloveyou2023",
            "wildberries2025",
            "Wildberries!",
            "wb-assistant",
            "wbassistant1",
            "sklad2025sklad",
            "aaaaaaaaaaaa",
            "qazwsxedcrfv",
            "zxcvbnm,./123",
            "adminadmin12",
            "administrator",
            "йцукенгшщзхъ",
            "парольпароль",
            "пароль123456",
            "gfhjkmgfhjkm",
            "складскладсклад",
            "вайлдберриз1",
            "Администратор",
            "crkflcrkfl12",
        ];
        let passed: Vec<_> = weak.into_iter().filter(|password| !is_weak(password, &[])).collect();
        assert!(passed.is_empty(), "{passed:?} would be let through");
    }

    #[test]
    fn what_nobody_would_try_is_not_weak() {
        let strong = [
            "a long password of nobody",
            "correct horse battery staple",
            "6ae1c9f03b7d2e4a8c51bd07",
            "мой кот ест только рыбу",
            "Tr0ub4dor&3-xkcd",
            "у меня зелёный трактор",
            "k3!vX9#pQz2m",
        ];
        let refused: Vec<_> = strong.into_iter().filter(|password| is_weak(password, &[])).collect();
        assert!(refused.is_empty(), "{refused:?} would be refused");
    }

    #[test]
    fn what_is_known_of_the_person_is_weak_for_that_person() {
        let password = "kuznetsova-olimpiada";
        assert!(!is_weak(password, &[]));
        assert!(is_weak(password, &["olimpiada.kuznetsova@example.org", "Олимпиада"]));
    }
}
