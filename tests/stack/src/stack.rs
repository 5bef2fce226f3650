//! The whole stack: servers, schema, simulator, printer, a first enterprise, API and workers.

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use wildberries::{Seller, Shop, Simulator};

use crate::{
    Durability, Role, ServerOptions, Servers, Steps, ports,
    printer::{self, VirtualPrinter},
    programs::{self, Environment, Profile, Program, Recipe, Secrets},
    servers::Scratch,
};

/// The API lets printers be at these ports only.
const PRINTER_PORTS: std::ops::RangeInclusive<u16> = 9100..=9109;
const READY: Duration = Duration::from_secs(90);
const END: Duration = Duration::from_secs(30);

/// What the stack consists of.
#[derive(Clone, Debug)]
pub struct Options {
    /// How much the servers care for their data
    pub durability: Durability,
    /// Keeps the data here
    pub data: Option<PathBuf>,
    /// Further settings of Postgres
    pub settings: Vec<(String, String)>,
    /// Starts private servers even if others are given from outside: for runs that break or measure them
    pub private: bool,
    /// The port of the API; none takes any
    pub api_port: Option<u16>,
    /// How many worker processes
    pub workers: usize,
    /// How the programs are compiled
    pub profile: Profile,
    /// Whether they are compiled first
    pub build: bool,
    /// Further variables of the programs
    pub variables: BTreeMap<String, String>,
    /// The simulator of Wildberries
    pub simulator: wildberries::Options,
    /// The cabinet that the seller has there
    pub shop: Shop,
    /// The speed of the printer in labels per second; none prints at once
    pub labels_per_second: Option<f64>,
    /// The name of the first enterprise
    pub enterprise: String,
    /// The address of its administrator
    pub email: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durability: Durability::Durable,
            data: None,
            settings: Vec::new(),
            private: false,
            api_port: None,
            workers: 1,
            profile: Profile::Dev,
            build: true,
            variables: BTreeMap::new(),
            simulator: wildberries::Options::default(),
            shop: Shop::default(),
            labels_per_second: Some(60.0),
            enterprise: "Ромашка".into(),
            email: "owner@romashka.example".into(),
        }
    }
}

/// Who can log in.
#[derive(Clone, Debug)]
pub struct Person {
    /// The login
    pub email: String,
    /// The password
    pub password: String,
}

/// A running stack. Dropping it ends everything; [`Stack::down`] does so in order.
pub struct Stack {
    /// The API
    pub api: Program,
    /// Further processes of the API, of [`Stack::add_api`]
    pub apis: Vec<Program>,
    /// The workers
    pub workers: Vec<Program>,
    /// Wildberries
    pub simulator: Simulator,
    /// The seller's cabinet at Wildberries, whose token the enterprise is to store
    pub seller: Seller,
    /// The label printer
    pub printer: VirtualPrinter,
    /// Postgres and Redis
    pub servers: Servers,
    /// The name of the database
    pub database: String,
    /// `http://127.0.0.1:PORT` of the API
    pub api_url: String,
    /// The administrator of the first enterprise
    pub administrator: Person,
    /// What the programs are told; each has its own address of the database besides
    pub environment: Environment,
    profile: Profile,
    logs: PathBuf,
    // Last, because it holds the folder of the logs.
    _scratch: Option<Scratch>,
}

impl Stack {
    /// Starts everything and tells nobody.
    pub async fn up(options: Options) -> anyhow::Result<Self> {
        Self::up_with(options, &mut Steps::silent()).await
    }

    /// Starts everything, step by step.
    pub async fn up_with(options: Options, steps: &mut Steps) -> anyhow::Result<Self> {
        let profile = options.profile;
        if options.build {
            let progress = steps.progress();
            let building = programs::build(profile, &["api", "worker"], move |text| progress.say(text));
            steps.step("Build the API and the worker", building).await?;
        }
        let progress = steps.progress();
        let starting = start_servers(&options, move |text| progress.say(text));
        let (servers, scratch) = steps.step("Start Postgres and Redis", starting).await?;
        let folder = servers.folder().or(scratch.as_ref().map(Scratch::path)).context("a stack needs a folder")?;
        let logs = folder.join("logs");

        let simulating = Simulator::start(options.simulator.clone());
        let simulator = steps.step("Start the Wildberries simulator", simulating).await?;
        let seller = simulator.shop(options.shop.clone());
        let printing = VirtualPrinter::start(printer::Options {
            listen: (Ipv4Addr::LOCALHOST, ports::first_free(PRINTER_PORTS).unwrap_or(0)).into(),
            folder: Some(folder.join("printed")),
            labels_per_second: options.labels_per_second,
        });
        let printer = steps.step("Switch on the label printer", printing).await?;

        let database = database(&servers, &options).await?;
        let kept = options.data.as_deref().unwrap_or(folder);
        let (secrets, kek_file) = Secrets::of(kept)?;
        let redis = if is_shared(&servers) { servers.take_redis_database().await? } else { 0 };
        let environment = Environment {
            database_url: servers.database_url(Role::Api, &database),
            redis_url: servers.redis_url(redis),
            wildberries_url: simulator.url(),
            kek_file,
            jwt_keys: secrets.jwt_keys.clone(),
            health_token: secrets.health_token.clone(),
            further: options.variables.clone(),
        };
        let administrator = Person { email: options.email.clone(), password: secrets.password.clone() };
        let bench = Bench { profile, logs: logs.clone(), environment: environment.clone() };

        let migrate = bench.recipe("migrate", "api", &["migrate"], servers.database_url(Role::Migrate, &database));
        steps.step("Migrate the database", migrate.run("")).await?;
        // With kept data the enterprise may be there from an earlier run.
        let created = kept.join("enterprise");
        if !created.exists() {
            let Person { email, password } = &administrator;
            let create = bench.create_enterprise(&environment.database_url, &options.enterprise, email, password);
            steps.step("Create the first enterprise", create).await?;
            fs::write(&created, &options.enterprise).context("remembering the enterprise")?;
        }
        let api_port = options.api_port.map_or_else(ports::free, Ok)?;
        let api_url = format!("http://127.0.0.1:{api_port}");
        let api = steps.step("Start the API", bench.api(&servers, &database, "api", api_port)).await?;
        let mut workers = Vec::new();
        for number in 1..=options.workers {
            let worker = bench.worker(&servers, &database, number);
            workers.push(steps.step(&format!("Start worker {number}"), worker).await?);
        }
        Ok(Self {
            api,
            apis: Vec::new(),
            workers,
            simulator,
            seller,
            printer,
            servers,
            database,
            api_url,
            administrator,
            environment,
            profile,
            logs,
            _scratch: scratch,
        })
    }

    /// Founds one more enterprise, as the person who hosts it would.
    pub async fn create_enterprise(&self, name: &str, email: &str, password: &str) -> anyhow::Result<()> {
        let bench = self.bench();
        bench.create_enterprise(&self.environment.database_url, name, email, password).await
    }

    /// Starts one more worker.
    pub async fn add_worker(&mut self) -> anyhow::Result<&mut Program> {
        let bench = self.bench();
        self.workers.push(bench.worker(&self.servers, &self.database, self.workers.len() + 1).await?);
        self.workers.last_mut().context("a worker was added")
    }

    /// Starts one more process of the API, which ends with the stack; answers with its address.
    pub async fn add_api(&mut self) -> anyhow::Result<String> {
        let (api, url) = self.another_api(self.apis.len() + 1).await?;
        self.apis.push(api);
        Ok(url)
    }

    /// Starts one more replica of the API; answers with it and its address.
    pub async fn another_api(&self, number: usize) -> anyhow::Result<(Program, String)> {
        let bench = self.bench();
        let port = ports::free()?;
        let api = bench.api(&self.servers, &self.database, &format!("api-{number}"), port).await?;
        Ok((api, format!("http://127.0.0.1:{port}")))
    }

    fn bench(&self) -> Bench {
        Bench { profile: self.profile, logs: self.logs.clone(), environment: self.environment.clone() }
    }

    /// Runs a command of the `api` program to its end, with `input` on its standard input.
    pub async fn administer(&self, arguments: &[&str], input: &str) -> anyhow::Result<()> {
        let database_url = self.servers.database_url(Role::Api, &self.database);
        self.bench().recipe("administer", "api", arguments, database_url).run(input).await
    }

    /// Where the programs write their logs.
    pub fn logs(&self) -> &Path {
        &self.logs
    }

    /// Where the printer listens.
    pub fn printer_address(&self) -> SocketAddr {
        self.printer.addr()
    }

    /// The addresses of everything, for a person.
    pub fn addresses(&self) -> String {
        let Person { email, password } = &self.administrator;
        [
            format!("API           {}  (documents at /docs)", self.api_url),
            format!("log in as     {email}  {password}"),
            format!("Wildberries   {}  (its page at /_sim)", self.environment.wildberries_url),
            format!("printer       {}", self.printer_address()),
            format!("Postgres      {}", self.servers.database_url(Role::Admin, &self.database)),
            format!("Redis         {}", self.environment.redis_url),
            format!("logs          {}", self.logs.display()),
        ]
        .join("\n")
    }

    /// Ends everything in order: those who depend on others first.
    pub async fn down(mut self) -> anyhow::Result<()> {
        for worker in &mut self.workers {
            worker.stop(END).await?;
        }
        for api in self.apis.iter_mut().chain([&mut self.api]) {
            api.stop(END).await?;
        }
        let Self { servers, printer, simulator, database, .. } = self;
        printer.stop().await;
        simulator.stop().await;
        if is_shared(&servers) {
            servers.drop_database(&database).await?;
        }
        servers.stop().await
    }
}

/// What the programs of one stack have in common.
struct Bench {
    profile: Profile,
    logs: PathBuf,
    environment: Environment,
}

impl Bench {
    fn recipe(&self, name: &str, program: &str, arguments: &[&str], database_url: String) -> Recipe {
        Recipe {
            name: name.to_owned(),
            program: programs::program(self.profile, program),
            arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
            environment: self.environment.clone().on(database_url),
            logs: self.logs.clone(),
        }
    }

    async fn create_enterprise(
        &self,
        database_url: &str,
        name: &str,
        email: &str,
        password: &str,
    ) -> anyhow::Result<()> {
        let arguments = ["admin", "create-enterprise", "--name", name, "--email", email];
        let create = self.recipe("create-enterprise", "api", &arguments, database_url.to_owned());
        create.run(&format!("{password}\n")).await
    }

    async fn api(&self, servers: &Servers, database: &str, name: &str, port: u16) -> anyhow::Result<Program> {
        let mut recipe = self.recipe(name, "api", &["serve"], servers.database_url(Role::Api, database));
        recipe.environment = recipe.environment.with("API_LISTEN", format!("127.0.0.1:{port}"));
        let mut api = Program::start(recipe)?;
        api.wait_ready(&format!("http://127.0.0.1:{port}/health/ready"), READY).await?;
        Ok(api)
    }

    async fn worker(&self, servers: &Servers, database: &str, number: usize) -> anyhow::Result<Program> {
        let port = ports::free()?;
        let name = format!("worker-{number}");
        let mut recipe = self.recipe(&name, "worker", &["run"], servers.database_url(Role::Worker, database));
        recipe.environment = recipe.environment.with("WORKER_LISTEN", format!("127.0.0.1:{port}"));
        let mut worker = Program::start(recipe)?;
        worker.wait_ready(&format!("http://127.0.0.1:{port}/health"), READY).await?;
        Ok(worker)
    }
}

async fn start_servers(
    options: &Options,
    report: impl Fn(&str) + Send + 'static,
) -> anyhow::Result<(Servers, Option<Scratch>)> {
    let Options { durability, data, settings, private, .. } = options.clone();
    let servers = Servers::start_with(ServerOptions { durability, data, settings, private }, report).await?;
    let scratch = if servers.folder().is_none() { Some(Scratch::create().await?) } else { None };
    Ok((servers, scratch))
}

/// Servers that others use too hold the databases of others: ours gets a name of its own and is dropped at the end.
fn is_shared(servers: &Servers) -> bool {
    servers.postgres().pid().is_none()
}

/// The database of the stack, made unless it is kept from an earlier run.
async fn database(servers: &Servers, options: &Options) -> anyhow::Result<String> {
    let name = if is_shared(servers) && options.data.is_none() {
        format!("wb_{}", hex::encode(rand::random::<[u8; 6]>()))
    } else {
        "wb".to_owned()
    };
    if !servers.has_database(&name).await? {
        servers.create_database(&name, None).await?;
    }
    Ok(name)
}
