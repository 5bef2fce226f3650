//! Word lists the shop's goods, offices and points are made of.

/// A subject: its id, its name, the sizes it comes in, and nouns for titles.
pub(crate) struct Subject {
    pub id: i64,
    pub name: &'static str,
    pub sizes: &'static [&'static str],
    pub nouns: &'static [&'static str],
    /// Length, width, height in centimetres and weight in grams.
    pub parcel: [i64; 4],
}

const LETTERS: &[&str] = &["XS", "S", "M", "L", "XL", "XXL"];
const NUMBERS: &[&str] = &["42", "44", "46", "48", "50", "52"];
const SHOES: &[&str] = &["36", "37", "38", "39", "40", "41"];
const BED: &[&str] = &["1,5-спальный", "2-спальный", "евро", "семейный"];
/// Goods without sizes carry a zero, as Wildberries writes it.
const ONE: &[&str] = &["0"];

pub(crate) const SUBJECTS: &[Subject] = &[
    Subject {
        id: 192,
        name: "Футболки",
        sizes: LETTERS,
        nouns: &["Футболка оверсайз", "Футболка базовая", "Футболка с принтом"],
        parcel: [30, 25, 3, 220],
    },
    Subject {
        id: 69,
        name: "Платья",
        sizes: NUMBERS,
        nouns: &["Платье миди", "Платье вечернее", "Платье летнее", "Платье-рубашка"],
        parcel: [35, 28, 5, 420],
    },
    Subject {
        id: 11,
        name: "Брюки",
        sizes: NUMBERS,
        nouns: &["Брюки классические", "Брюки палаццо", "Брюки карго"],
        parcel: [35, 30, 5, 520],
    },
    Subject {
        id: 180,
        name: "Джинсы",
        sizes: NUMBERS,
        nouns: &["Джинсы прямые", "Джинсы клёш", "Джинсы мом"],
        parcel: [36, 30, 6, 700],
    },
    Subject {
        id: 161,
        name: "Свитшоты",
        sizes: LETTERS,
        nouns: &["Свитшот с начёсом", "Свитшот оверсайз"],
        parcel: [35, 30, 8, 540],
    },
    Subject {
        id: 168,
        name: "Куртки",
        sizes: NUMBERS,
        nouns: &["Куртка демисезонная", "Куртка стёганая", "Ветровка лёгкая"],
        parcel: [45, 35, 12, 1100],
    },
    Subject {
        id: 105,
        name: "Кроссовки",
        sizes: SHOES,
        nouns: &["Кроссовки беговые", "Кроссовки на платформе", "Кроссовки летние"],
        parcel: [33, 22, 12, 900],
    },
    Subject {
        id: 104,
        name: "Ботинки",
        sizes: SHOES,
        nouns: &["Ботинки осенние", "Ботинки челси", "Ботинки зимние"],
        parcel: [34, 24, 13, 1300],
    },
    Subject {
        id: 106,
        name: "Тапочки",
        sizes: SHOES,
        nouns: &["Тапочки домашние", "Тапочки меховые"],
        parcel: [28, 20, 8, 300],
    },
    Subject {
        id: 1023,
        name: "Комплекты постельного белья",
        sizes: BED,
        nouns: &["Постельное бельё сатин", "Постельное бельё поплин", "Постельное бельё из льна"],
        parcel: [38, 30, 9, 1900],
    },
    Subject {
        id: 590,
        name: "Полотенца",
        sizes: ONE,
        nouns: &["Полотенце махровое", "Полотенце банное", "Набор полотенец вафельных"],
        parcel: [30, 25, 8, 600],
    },
    Subject {
        id: 812,
        name: "Кружки",
        sizes: ONE,
        nouns: &["Кружка керамическая", "Кружка с двойными стенками", "Кружка походная"],
        parcel: [14, 12, 11, 380],
    },
    Subject {
        id: 745,
        name: "Вазы",
        sizes: ONE,
        nouns: &["Ваза стеклянная", "Ваза напольная", "Ваза для сухоцветов"],
        parcel: [20, 20, 32, 950],
    },
    Subject {
        id: 903,
        name: "Пледы",
        sizes: ONE,
        nouns: &["Плед вязаный", "Плед флисовый", "Плед с кистями"],
        parcel: [40, 30, 12, 1200],
    },
    Subject {
        id: 377,
        name: "Корзины для хранения",
        sizes: ONE,
        nouns: &["Корзина плетёная", "Корзина для игрушек", "Органайзер тканевый"],
        parcel: [30, 30, 20, 650],
    },
];

pub(crate) const BRANDS: &[&str] = &[
    "Северянка",
    "Льняной двор",
    "ТёплоДом",
    "Ёлки-Иголки",
    "Marusya",
    "Volga Wear",
    "Невский стиль",
    "Уютница",
    "Base Line",
    "Гжельский дом",
    "Kedr & Co",
    "Заря",
    "Polyana",
    "Синий кит",
    "Ажур",
    "Шаг за шагом",
];

pub(crate) const COLOURS: &[&str] = &[
    "чёрный",
    "белый",
    "серый меланж",
    "бежевый",
    "молочный",
    "хаки",
    "тёмно-синий",
    "бордовый",
    "горчичный",
    "пудровый",
    "изумрудный",
    "терракотовый",
];

pub(crate) const QUALITIES: &[&str] = &[
    "из хлопка",
    "для дома",
    "на каждый день",
    "большие размеры",
    "в подарок",
    "премиум",
    "ручной работы",
    "лёгкий уход",
    "с вышивкой",
    "для всей семьи",
];

pub(crate) const COUNTRIES: &[&str] = &["Россия", "Беларусь", "Узбекистан", "Китай", "Турция"];

pub(crate) const COMMENTS: &[&str] = &["Упакуйте, пожалуйста, получше", "Это подарок", "Проверьте размер"];

/// A Wildberries office: id, name, address, city, longitude, latitude, cargo type, federal district.
#[derive(Debug)]
pub(crate) struct Office {
    pub id: i64,
    pub name: &'static str,
    pub address: &'static str,
    pub city: &'static str,
    pub at: (f64, f64),
    pub cargo: u8,
    pub district: Option<&'static str>,
}

pub(crate) const OFFICES: &[Office] = &[
    Office {
        id: 15,
        name: "Подольск Север",
        address: "Московская обл., Подольск, ул. Складская, 4",
        city: "Подольск",
        at: (37.554, 55.431),
        cargo: 1,
        district: Some("Центральный"),
    },
    Office {
        id: 117,
        name: "Москва Восток",
        address: "Москва, ш. Энтузиастов, 61",
        city: "Москва",
        at: (37.768, 55.755),
        cargo: 1,
        district: Some("Центральный"),
    },
    Office {
        id: 206,
        name: "Тула Левобережная",
        address: "Тула, ул. Ложевая, 123",
        city: "Тула",
        at: (37.588, 54.188),
        cargo: 1,
        district: Some("Центральный"),
    },
    Office {
        id: 301,
        name: "Санкт-Петербург Шушары",
        address: "Санкт-Петербург, Московское ш., 19",
        city: "Санкт-Петербург",
        at: (30.377, 59.812),
        cargo: 1,
        district: Some("Северо-Западный"),
    },
    Office {
        id: 412,
        name: "Казань Зелёный Дол",
        address: "Татарстан, Зеленодольск, ул. Промышленная, 2",
        city: "Казань",
        at: (48.517, 55.844),
        cargo: 1,
        district: Some("Приволжский"),
    },
    Office {
        id: 518,
        name: "Екатеринбург Исеть",
        address: "Екатеринбург, ул. Черняховского, 86",
        city: "Екатеринбург",
        at: (60.699, 56.760),
        cargo: 1,
        district: Some("Уральский"),
    },
    Office {
        id: 623,
        name: "Новосибирск Обь",
        address: "Новосибирск, ул. Петухова, 71",
        city: "Новосибирск",
        at: (82.889, 54.938),
        cargo: 1,
        district: Some("Сибирский"),
    },
    Office {
        id: 707,
        name: "Краснодар Тихорецкая",
        address: "Краснодар, ул. Тихорецкая, 40",
        city: "Краснодар",
        at: (39.031, 45.047),
        cargo: 1,
        district: Some("Южный"),
    },
    Office {
        id: 811,
        name: "Самара Чапаевск",
        address: "Самарская обл., Чапаевск, ул. Шоссейная, 1",
        city: "Самара",
        at: (49.711, 52.985),
        cargo: 3,
        district: Some("Приволжский"),
    },
    Office {
        id: 904,
        name: "Минск Колядичи",
        address: "Минск, ул. Бабушкина, 39",
        city: "Минск",
        at: (27.531, 53.821),
        cargo: 1,
        district: None,
    },
];

/// Cities with their centre: each has the same set of shipping points.
pub(crate) const CITIES: &[(&str, f64, f64)] = &[
    ("Москва", 55.755, 37.617),
    ("Подольск", 55.431, 37.544),
    ("Санкт-Петербург", 59.939, 30.316),
    ("Тула", 54.193, 37.617),
    ("Казань", 55.796, 49.108),
    ("Екатеринбург", 56.838, 60.605),
    ("Новосибирск", 55.030, 82.920),
    ("Краснодар", 45.035, 38.975),
    ("Самара", 53.195, 50.100),
    ("Нижний Новгород", 56.327, 44.006),
    ("Ростов-на-Дону", 47.222, 39.720),
    ("Воронеж", 51.661, 39.200),
];
