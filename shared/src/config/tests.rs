//! Every configuration that must not start, and the one that must.

use std::fs;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;

use super::*;

const JWT: &str = "Yp3vRk8sLq2WnZ7cTf5XbGdHj9MaEu4i";
const HEALTH: &str = "f3a91c07d5e84b26a0c9317e5d48b62f";
const KEK: &str = "bWVsbG93LXJpdmVyLWp1bXBzLTkxLWZveC1hdC1ub28=";
const DATABASE: &str = "postgres://wb_api:Vt6qLw9zXc3mRk8s@wb-postgres:5432/wb_assistant";
const REDIS: &str = "redis://default:Hd5nBf2yJg7pQa4u@wb-redis:6379/0";

/// A folder of files that secrets are read from.
struct Files(PathBuf);

impl Files {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("wb-config-{}", crate::ids::JobId::new()));
        fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn file(&self, text: &str) -> String {
        let path = self.0.join(crate::ids::JobId::new().to_string());
        fs::write(&path, text).expect("a file");
        path.display().to_string()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

type Variables = BTreeMap<String, String>;

fn good(files: &Files) -> Variables {
    [
        ("DATABASE_URL", DATABASE.to_owned()),
        ("REDIS_URL", REDIS.to_owned()),
        ("JWT_KEYS", format!("k1:{JWT}")),
        ("WB_KEK_FILE", files.file(&format!("k1:{KEK}\n"))),
        ("HEALTH_TOKEN", HEALTH.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn read(program: Program, variables: &Variables) -> Result<Config, ConfigProblems> {
    Config::read(program, |name| variables.get(name).cloned())
}

#[test]
fn the_documented_configuration_starts_both_programs() {
    let files = Files::new();
    let mut variables = good(&files);
    for program in [Program::Api, Program::Worker] {
        read(program, &variables).expect("starts");
    }
    for name in ["DATABASE_URL", "REDIS_URL", "JWT_KEYS", "HEALTH_TOKEN"] {
        let value = variables.remove(name).expect("is set");
        variables.insert(format!("{name}_FILE"), files.file(&format!("{value}\n")));
    }
    let config = read(Program::Api, &variables).expect("starts from files");
    assert_eq!(config.database_url.expose_secret(), DATABASE);
    assert_eq!((config.mode, config.jwt_keys.len(), config.keyring.current()), (Mode::Production, 1, "k1"));
}

/// What to set instead, and how the problem that it makes begins.
fn bad(files: &Files) -> Vec<(Vec<(&'static str, String)>, &'static str)> {
    let one = |name: &'static str, value: &str, says: &'static str| (vec![(name, value.to_owned())], says);
    let kek = |text: &str, says: &'static str| (vec![("WB_KEK_FILE", files.file(text))], says);
    let database =
        |password: &str, says| one("DATABASE_URL", &format!("postgres://wb_api:{password}@db:5432/wb"), says);
    let twin = |name: &'static str, value: String, says: &'static str| (vec![(name, value)], says);
    vec![
        // Missing.
        one("DATABASE_URL", "", "DATABASE_URL (or DATABASE_URL_FILE) is missing"),
        one("REDIS_URL", " ", "REDIS_URL (or REDIS_URL_FILE) is missing"),
        one("JWT_KEYS", "", "JWT_KEYS (or JWT_KEYS_FILE) is missing"),
        one("WB_KEK_FILE", "", "WB_KEK_FILE is missing"),
        // Twice, or not there.
        twin("DATABASE_URL_FILE", files.file(DATABASE), "DATABASE_URL and DATABASE_URL_FILE are both set"),
        twin("REDIS_URL_FILE", files.file(REDIS), "REDIS_URL and REDIS_URL_FILE are both set"),
        twin("JWT_KEYS_FILE", files.file(JWT), "JWT_KEYS and JWT_KEYS_FILE are both set"),
        twin("HEALTH_TOKEN_FILE", files.file(HEALTH), "HEALTH_TOKEN and HEALTH_TOKEN_FILE are both set"),
        one("WB_KEK_FILE", "/nowhere/at/all", "WB_KEK_FILE: the file cannot be read"),
        kek("\n", "WB_KEK_FILE: the file is empty"),
        // The database.
        one("DATABASE_URL", "wb-postgres", "DATABASE_URL: is not an address"),
        one("DATABASE_URL", "mysql://wb_api:Vt6qLw9zXc3mRk8s@db/wb", "DATABASE_URL: must begin with postgres://"),
        one("DATABASE_URL", "postgres://wb_api@db:5432/wb", "DATABASE_URL: has no password"),
        database("postgres", "DATABASE_URL: the password is one that everybody tries first"),
        database("password", "DATABASE_URL: the password is one that everybody tries first"),
        database("wb", "DATABASE_URL: the password is one that everybody tries first"),
        database("PassWord", "DATABASE_URL: the password is one that everybody tries first"),
        database("wb_api", "DATABASE_URL: the password is one that everybody tries first"),
        database("Vt6qLw9zX", "DATABASE_URL: the password is shorter than 12 characters"),
        database("aaaaaaaaaaaaaaaa", "DATABASE_URL: the password can be guessed"),
        // Redis.
        one("REDIS_URL", "redis://wb-redis:6379/0", "REDIS_URL: has no password"),
        one(
            "REDIS_URL",
            "redis://default:redis@wb-redis/0",
            "REDIS_URL: the password is one that everybody tries first",
        ),
        one("REDIS_URL", "http://default:Hd5nBf2yJg7pQa4u@wb-redis/", "REDIS_URL: must begin with redis://"),
        // Our own tokens.
        one("JWT_KEYS", JWT, "JWT_KEYS: entry 1 is not kid:secret"),
        one("JWT_KEYS", &format!(":{JWT}"), "JWT_KEYS: entry 1 is not kid:secret"),
        one("JWT_KEYS", "k1:Yp3vRk8sLq2WnZ7cTf5XbGdHj9MaEu4", "JWT_KEYS: entry 1 is shorter than 32 bytes"),
        one("JWT_KEYS", &format!("k1:{}", "s".repeat(64)), "JWT_KEYS: entry 1 can be guessed"),
        one("JWT_KEYS", &format!("k1:{}", "abcd1234".repeat(8)), "JWT_KEYS: entry 1 can be guessed"),
        one("JWT_KEYS", "k1:my-secret-key-for-the-warehouse-2026!", "JWT_KEYS: entry 1 can be guessed"),
        one("JWT_KEYS", &format!("k1:{JWT},k1:{HEALTH}"), "JWT_KEYS: entry 2 has the name of an earlier key"),
        one("JWT_KEYS", &format!("k1:{JWT},k2:{JWT}"), "JWT_KEYS: entry 2 is the same as JWT_KEYS: entry 1"),
        // The keys that seal.
        kek(KEK, "WB_KEK_FILE: line 1 is not"),
        kek("k1:c2hvcnQ=", "WB_KEK_FILE: line 1"),
        kek(&format!("k1:{KEK}\nk2:{KEK}"), "WB_KEK_FILE: line 2 is the same as WB_KEK_FILE: line 1"),
        kek(&format!("k1:{KEK}\nk1:{}", KEK.replace("bWVs", "cWVt")), "WB_KEK_FILE: line 2 repeats the name"),
        kek(&format!("k1:{}=", "A".repeat(43)), "WB_KEK_FILE: line 1 can be guessed"),
        // One secret for two things.
        one("HEALTH_TOKEN", JWT, "HEALTH_TOKEN is the same as JWT_KEYS: entry 1"),
        one(
            "REDIS_URL",
            "redis://default:Vt6qLw9zXc3mRk8s@wb-redis/0",
            "REDIS_URL: the password is the same as DATABASE_URL's",
        ),
        one("HEALTH_TOKEN", "health", "HEALTH_TOKEN is shorter than 32 bytes"),
        one("HEALTH_TOKEN", &"0".repeat(40), "HEALTH_TOKEN can be guessed"),
        // What only the demo may do.
        one("WB_LIMIT_SCALE", "20", "WB_LIMIT_SCALE: only the demo"),
        one("WB_BASE_URL_COMMON", "http://common-api.wildberries.ru", "WB_BASE_URL_COMMON: must be https"),
        one(
            "WB_BASE_URL_CONTENT",
            "https://wildberries.ru.example.org",
            "WB_BASE_URL_CONTENT: must be a host of wildberries.ru",
        ),
        one(
            "WB_BASE_URL_MARKETPLACE",
            "https://evilwildberries.ru",
            "WB_BASE_URL_MARKETPLACE: must be a host of wildberries.ru",
        ),
        one(
            "WB_BASE_URL_MARKETPLACE",
            "https://me:x@marketplace-api.wildberries.ru",
            "WB_BASE_URL_MARKETPLACE: must not name a user",
        ),
        one(
            "WB_BASE_URL_COMMON",
            "https://common-api.wildberries.ru/?to=",
            "WB_BASE_URL_COMMON: must end with its path",
        ),
        one("RUST_LOG", "debug", "RUST_LOG: in production"),
        one("RUST_LOG", "info,hyper=trace", "RUST_LOG: in production"),
        one("RUST_LOG", "info,apis=TRACE", "RUST_LOG: in production"),
        one("PRINT_ALLOWED_CIDRS", "192.168.0.0/16, 0.0.0.0/0", "PRINT_ALLOWED_CIDRS: a network with /0"),
        // Typing mistakes.
        one("WB_ENV", "prod", "WB_ENV: must be one of"),
        one("WB_BASE_URL_COMMON", "wildberries", "WB_BASE_URL_COMMON: is not an address"),
        one("WB_POLL_ORDERS_MS", "10", "WB_POLL_ORDERS_MS: must be between"),
        one("API_LISTEN", "3000", "API_LISTEN: cannot be read"),
        one("WORKER_QUEUES", "sync,letters", "WORKER_QUEUES: names no queue"),
        one("WORKER_CONCURRENCY", "sync=1000", "WORKER_CONCURRENCY: is not"),
        one("API_DOCS", "yes", "API_DOCS: must be one of"),
    ]
}

#[test]
fn every_bad_configuration_is_refused_by_its_own_name_and_shows_no_value() {
    let files = Files::new();
    let table = bad(&files);
    assert!(table.len() >= 40);
    for (changes, says) in table {
        let mut variables = good(&files);
        variables.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let Err(ConfigProblems(problems)) = read(Program::Api, &variables) else { panic!("{says} is not refused") };
        assert_eq!(problems.len(), 1, "{says}: {problems:?}");
        assert!(problems[0].starts_with(says), "{says}: {problems:?}");
        let text = ConfigProblems(problems).to_string();
        for (name, value) in variables.iter().filter(|(name, value)| *name != "RUST_LOG" && value.len() > 4) {
            assert!(!text.contains(value.as_str()), "{name} is shown: {text}");
        }
        for secret in [JWT, HEALTH, KEK, "Vt6qLw9z", "Hd5nBf2y"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[test]
fn all_problems_are_told_at_once_one_line_each() {
    let told = read(
        Program::Api,
        &Variables::from([
            ("WB_BASE_URL_CONTENT".to_owned(), "http://somewhere".to_owned()),
            ("WORKER_QUEUES".to_owned(), "sync,letters".to_owned()),
            ("JWT_KEYS".to_owned(), "k1:tooshort".to_owned()),
        ]),
    )
    .expect_err("is not complete")
    .to_string();
    for name in ["DATABASE_URL", "REDIS_URL", "WB_KEK_FILE", "JWT_KEYS", "WB_BASE_URL_CONTENT", "WORKER_QUEUES"] {
        assert_eq!(told.lines().filter(|line| line.trim_start().starts_with(name)).count(), 1, "{name}: {told}");
    }
    assert!(!told.contains("tooshort") && !told.contains("somewhere") && !told.contains("letters"));
}

#[test]
fn the_example_cannot_start_as_it_is_nor_with_its_placeholders() {
    let example =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.env.prod.example")).expect("is there");
    let set = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    let as_it_is: Variables = example.lines().filter(|line| !line.starts_with('#')).filter_map(set).collect();
    let filled: Variables = example.lines().map(|line| line.trim_start_matches("# ")).filter_map(set).collect();
    let files = Files::new();
    for program in [Program::Api, Program::Worker] {
        assert!(read(program, &as_it_is).is_err());
        for name in ["DATABASE_URL", "REDIS_URL", "JWT_KEYS", "HEALTH_TOKEN"] {
            if program == Program::Worker && name == "JWT_KEYS" {
                continue;
            }
            let mut variables = good(&files);
            let placeholder = filled.get(name).cloned().unwrap_or_else(|| panic!("{name} has a placeholder"));
            variables.insert(name.to_owned(), placeholder);
            let told = read(program, &variables).expect_err("a placeholder").to_string();
            assert!(told.contains(name) && told.contains("example"), "{told}");
        }
    }
}

#[test]
fn the_demo_may_use_a_simulator_and_servers_without_passwords_but_no_weak_keys() {
    let files = Files::new();
    let mut variables = good(&files);
    for (name, value) in [
        ("WB_ENV", "demo"),
        ("DATABASE_URL", "postgres:///wb?host=/run/postgresql&user=wb_api"),
        ("REDIS_URL", "redis://127.0.0.1:6379"),
        ("WB_BASE_URL_COMMON", "http://127.0.0.1:8080"),
        ("WB_LIMIT_SCALE", "20"),
        ("RUST_LOG", "debug"),
    ] {
        variables.insert(name.to_owned(), value.to_owned());
    }
    read(Program::Api, &variables).expect("starts");
    variables.insert("JWT_KEYS".to_owned(), format!("k1:{}", "s".repeat(32)));
    assert!(read(Program::Api, &variables).is_err());
}

#[test]
fn in_production_our_own_code_may_be_talkative() {
    let files = Files::new();
    let mut variables = good(&files);
    for filter in ["info", "warn,worker=debug", "info,shared::wildberries=debug,api[request]=trace", "info,hyper=warn"]
    {
        variables.insert("RUST_LOG".to_owned(), filter.to_owned());
        read(Program::Worker, &variables).unwrap_or_else(|problems| panic!("{filter}: {problems}"));
    }
}
