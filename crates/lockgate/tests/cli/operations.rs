//! What docs/operations.md says to do is done here, on services of a test's own that have nothing in them yet.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lockgate_test_services::{OwnService, services};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{CSV, CUSTOMERS, PIPELINE, Site};

/// A fenced block of the page.
pub(crate) struct Block {
    language: String,
    /// The file that it is, where it is one.
    pub(crate) file: Option<String>,
    pub(crate) text: String,
}

/// The blocks of one section of the page, in order.
pub(crate) fn section(heading: &str) -> Vec<Block> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations.md");
    let page = fs::read_to_string(page).unwrap();
    let section = page.split("\n## ").find_map(|section| section.strip_prefix(heading)?.strip_prefix('\n'));
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in section.unwrap_or_else(|| panic!("the page has no section {heading}")).lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => {
                let mut words = info.split(' ').map(str::to_owned);
                let language = words.next().unwrap_or_default();
                open = Some(Block { language, file: words.next(), text: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => block.text.push_str(&format!("{line}\n")),
            (None, None) => {}
        }
    }
    blocks
}

fn of<'a>(blocks: &'a [Block], language: &str) -> Vec<&'a str> {
    let found: Vec<_> = blocks.iter().filter(|b| b.language == language).map(|b| b.text.as_str()).collect();
    assert!(!found.is_empty(), "no block of {language}");
    found
}

/// The commands of a console block: what follows `$ `, with the lines that go on.
fn commands(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("$ "), found.last_mut()) {
            (Some(command), _) => found.push(format!("{command}\n")),
            (None, Some(command)) if command.ends_with("\\\n") => command.push_str(&format!("{line}\n")),
            (None, _) => panic!("no command: {line}"),
        }
    }
    found
}

/// Services with nothing in them, a project, and a place for what the page keeps in `/etc/lockgate`.
struct Guide {
    own: OwnService,
    folder: TempDir,
    project: Site,
}

impl Guide {
    fn new() -> Option<Self> {
        let own = services()?.own(&["postgres-empty", "vault", "oauth"]);
        let folder = tempfile::tempdir().unwrap();
        for name in ["etc", "run", "log"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let etc = folder.path().join("etc");
        let pki = PathBuf::from(own.0.text("/pki"));
        for name in ["ca.pem", "svc-etl.crt", "svc-etl.key"] {
            fs::copy(pki.join(name), etc.join(name)).unwrap();
        }
        let bundle = ["ca.key", "ca.pem"].map(|name| fs::read_to_string(pki.join(name)).unwrap()).concat();
        fs::write(etc.join("ca-bundle.pem"), bundle).unwrap();
        fs::write(etc.join("reviewer-token"), "the token of a service account that may review").unwrap();
        let project = Site::empty();
        project.write("landing/customers/2026-11-01/a.csv", CSV);
        project.write("catalog/customers.yaml", CUSTOMERS);
        project
            .write("pipelines/daily_customers.yaml", PIPELINE.replace("pipeline: daily", "pipeline: daily_customers"));
        fs::remove_file(project.path("pipelines/daily.yaml")).unwrap();
        Some(Self { own, folder, project })
    }

    fn etc(&self, name: &str) -> String {
        self.folder.path().join("etc").join(name).display().to_string()
    }

    /// The text with this test's places in it.
    fn here(&self, text: &str) -> String {
        let at = |path: &str| self.own.0.text(path);
        [
            ("db.example.org:5432", format!("localhost:{}", at("/postgres/port"))),
            ("https://vault.example.org:8200", at("/vault/address")),
            ("https://login.example.org", at("/oauth/issuer")),
            ("/etc/lockgate", self.folder.path().join("etc").display().to_string()),
            ("/run/lockgate", self.folder.path().join("run").display().to_string()),
            ("/var/log", self.folder.path().join("log").display().to_string()),
            ("/srv/retail", self.project.path("").display().to_string().trim_end_matches('/').to_owned()),
        ]
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }

    fn command(&self, command: &str) -> Command {
        let bao = PathBuf::from(self.own.0.text("/vault/binary"));
        let lockgate = Path::new(env!("CARGO_BIN_EXE_lockgate"));
        let [bao, lockgate] = [bao.parent().unwrap(), lockgate.parent().unwrap()].map(Path::display);
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", &self.here(command)]).current_dir(self.folder.path());
        shell.env("PATH", format!("{lockgate}:{bao}:{}", std::env::var("PATH").unwrap_or_default()));
        shell.env("BAO_ADDR", self.own.0.text("/vault/address")).env("BAO_TOKEN", self.own.0.text("/vault/token"));
        shell.env("BAO_CACERT", self.etc("ca.pem")).env("HOME", self.folder.path()).env("NO_COLOR", "1");
        shell
    }

    /// What a command of the page prints.
    fn run(&self, command: &str) -> String {
        let done = self.command(command).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success(), "{command}\n{out}{err}");
        out.into_owned()
    }

    fn run_all(&self, blocks: &[Block]) {
        for block in blocks {
            match (&block.file, block.language.as_str()) {
                (Some(file), _) => fs::write(self.folder.path().join(file), self.here(&block.text)).unwrap(),
                (None, "console") => commands(&block.text).iter().for_each(|command| drop(self.run(command))),
                (None, other) => panic!("what is to be done with a block of {other}?"),
            }
        }
    }

    fn psql(&self, database: &str, statements: &str) -> String {
        let at = |name: &str| self.own.0.text(&format!("/postgres/{name}"));
        let command = format!(
            "psql -h {} -p {} -U postgres -d {database} -qAt -v ON_ERROR_STOP=1 <<'END'\n{statements}\nEND",
            at("socket"),
            at("port")
        );
        self.run(&command).trim().to_owned()
    }

    /// Sets the database up as the page says.
    fn database(&self) {
        let blocks = section("PostgreSQL");
        let (set_up, reader) = match of(&blocks, "sql")[..] {
            [set_up, reader] => (set_up, reader),
            ref others => panic!("there are {} blocks of SQL", others.len()),
        };
        self.psql("postgres", set_up);
        self.psql(
            "warehouse",
            "CREATE TABLE public.customers (id bigint PRIMARY KEY); CREATE TABLE public.others (id bigint)",
        );
        self.psql("warehouse", reader);
        let may = |table: &str, right: &str| {
            self.psql("warehouse", &format!("SELECT has_table_privilege('reader', 'public.{table}', '{right}')"))
        };
        let rights = [("customers", "SELECT"), ("customers", "UPDATE"), ("others", "SELECT")];
        assert_eq!(rights.map(|(table, right)| may(table, right)), ["t", "f", "f"]);
        let file = PathBuf::from(self.own.0.text("/postgres/data")).join("pg_hba.conf");
        let administrator = fs::read_to_string(&file).unwrap();
        // Written into the file that is there: it belongs to the server.
        fs::write(&file, format!("{administrator}{}", of(&blocks, "pg_hba")[0])).unwrap();
        self.psql("postgres", "SELECT pg_reload_conf()");
        assert_eq!(self.psql("postgres", "SELECT count(*) FROM pg_hba_file_rules WHERE error IS NOT NULL"), "0");
    }

    /// Writes a project that names one of everything, and logs in as the page's roles do.
    fn write_project(&self, project: &Site, login: &str, role: &str, tls: &str) {
        let at = |path: &str| self.own.0.text(path);
        let database = format!("postgresql://localhost:{}/warehouse", at("/postgres/port"));
        let ca = self.etc("ca.pem");
        let settings = format!(
            "version: 1
project: retail
tls: {{ ca: '{ca}', {tls} }}
vault: {{ address: '{}', tls: {{ ca: '{ca}' }}, login: {{ {login} }} }}
oauth:
  tokens:
    token_url: '{}'
    client_id: etl-assertion
    private_key: 'file:{}'
    key_id: assertion
    resource: 'urn:vault'
    tls: {{ ca: '{ca}' }}
stores:
  landing: {{ at: 'file://./landing' }}
  warehouse: {{ at: '{database}', secret: 'vault-db:{role}', clearance: internal }}
  static: {{ at: '{database}', secret: 'vault-db-static:etl-static', clearance: internal }}
  reports: {{ at: '{database}', user: etl_reports, secret: 'vault:secret/data/retail/reports#password', clearance: internal }}
  certified: {{ at: '{database}', user: svc-etl, clearance: internal }}
keys:
  default: {{ vault-transit: lockgate }}
ledger: {{ at: 'file://./.lockgate/ledger' }}
protect:
  - {{ tag: pii.email, with: 'token(domain: customer)' }}
  - {{ tag: pii.name, with: seal }}
  - {{ tag: pci.pan, with: 'fpe(domain: card)' }}
  - {{ tag: pii.birth_date, with: 'mask(date_to_year)' }}
",
            at("/vault/address"),
            at("/oauth/token_url"),
            self.own.0.pki("assertion.key"),
        );
        project.write("lockgate.yaml", settings);
    }

    fn approle(&self) -> String {
        let role = fs::read_to_string(self.etc("role-id")).unwrap();
        format!("approle: {{ role_id: '{role}', secret_id: 'file:{}', wrapped: true }}", self.etc("secret-id"))
    }

    fn files(&self) -> String {
        format!("certificate: '{}', key: 'file:{}'", self.etc("svc-etl.crt"), self.etc("svc-etl.key"))
    }
}

const PKI: &str = "vault_pki: pki/issue/etl, common_name: svc-etl";

#[test]
fn the_guide_is_done_as_it_stands() {
    let Some(guide) = Guide::new() else { return };
    guide.database();
    let vault = section("Vault");
    let agent = vault.iter().rposition(|block| block.language == "console").unwrap();
    guide.run_all(&vault[..agent]);

    guide.write_project(&guide.project, &guide.approle(), "etl", PKI);
    guide.run("lockgate run daily_customers --project /srv/retail");
    assert_eq!(guide.psql("warehouse", "SELECT count(*) FROM analytics.customers"), "3");
    guide.nobody_gets_in_without_a_certificate();
    guide.with_an_agent(&vault[agent]);
    guide.write_project(&guide.project, "jwt: { role: etl, oauth: tokens }", "etl", PKI);
    guide.run("lockgate doctor --project /srv/retail");
    guide.policy_has_nothing_too_much();
    guide.rotating();
    guide.daily();
}

impl Guide {
    fn nobody_gets_in_without_a_certificate(&self) {
        let port = self.own.0.text("/postgres/port");
        let (key, certificate) = (self.etc("svc-etl.key"), self.etc("svc-etl.crt"));
        self.run(&format!("chmod 600 {key}"));
        let attempt = |tls: &str| {
            let server =
                format!("host=localhost port={port} user=etl_reports dbname=warehouse password='change me' {tls}");
            self.command(&format!("psql -qAt -c 'SELECT 1' \"{server}\"")).output().unwrap().status.success()
        };
        assert!(attempt(&format!("sslmode=require sslcert={certificate} sslkey={key}")), "with a certificate");
        assert!(!attempt("sslmode=require sslcert=/nowhere sslkey=/nowhere"), "without one");
        assert!(!attempt("sslmode=disable"), "without TLS");
    }

    /// The agent logs in, and the program takes its token out of the file.
    fn with_an_agent(&self, block: &Block) {
        let commands = commands(&block.text);
        let [secret_id, agent] = commands.as_slice() else { panic!("{}", block.text) };
        self.run(secret_id);
        let log = fs::File::create(self.folder.path().join("log/agent.log")).unwrap();
        let agent =
            self.command(&format!("exec {agent}")).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let _agent = Ended(agent);
        let token = self.folder.path().join("run/token");
        let until = Instant::now() + Duration::from_secs(30);
        while fs::read_to_string(&token).unwrap_or_default().is_empty() {
            assert!(
                Instant::now() < until,
                "{}",
                fs::read_to_string(self.folder.path().join("log/agent.log")).unwrap()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        self.write_project(&self.project, &format!("token: 'file:{}'", token.display()), "etl", PKI);
        self.run("lockgate doctor --project /srv/retail");
    }
}

/// The page's policy without one of its lines, and what a job does under it.
struct Mutation<'a> {
    guide: &'a Guide,
    /// What the policy, the roles and the table are named, so that several go side by side.
    name: String,
    project: Site,
}

impl Guide {
    /// A job succeeds under the page's policy, and fails under it without any one of its lines.
    fn policy_has_nothing_too_much(&self) {
        let vault = section("Vault");
        let policy = &vault.iter().find(|block| block.file.as_deref() == Some("etl.hcl")).unwrap().text;
        let lines: Vec<_> = policy.lines().filter(|line| !line.starts_with('#')).collect();
        self.works_under(0, &lines).unwrap_or_else(|failed| panic!("under the whole policy: {failed}"));
        let next = AtomicUsize::new(0);
        let work = || {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(line) = lines.get(at) else { return };
                let without: Vec<_> = lines.iter().copied().filter(|other| other != line).collect();
                let failed = self.works_under(at + 1, &without);
                assert!(failed.is_err(), "everything works without {line}");
            }
        };
        std::thread::scope(|scope| (0..3).for_each(|_| drop(scope.spawn(work))));
    }

    fn works_under(&self, number: usize, policy: &[&str]) -> Result<(), String> {
        let name = format!("etl{number}");
        let own = format!("database/creds/{name}\"");
        let policy = policy.join("\n").replace("database/creds/etl\"", &own);
        self.run(&format!("bao policy write {name} - <<'END'\n{policy}\nEND"));
        // As the page makes them, but short-lived.
        let setup: Vec<_> = of(&section("Vault"), "console").into_iter().flat_map(commands).collect();
        for (begin, changes) in [
            (
                "bao write database/roles/etl ",
                &[("roles/etl ", "roles/NAME "), ("default_ttl=1h", "default_ttl=3s")][..],
            ),
            (
                "bao write auth/approle/role/etl ",
                &[
                    ("role/etl ", "role/NAME "),
                    ("token_policies=etl ", "token_policies=NAME "),
                    ("token_ttl=1h", "token_ttl=3s"),
                ],
            ),
        ] {
            let command = setup.iter().find(|command| command.starts_with(begin)).unwrap();
            let changed = changes.iter().fold(command.clone(), |command, (from, to)| {
                assert!(command.contains(from), "{command} has no {from}");
                command.replace(from, &to.replace("NAME", &name))
            });
            self.run(&changed);
        }
        let project = Site::empty();
        let table = format!("dataset: analytics.{name}");
        project.write("pipelines/daily.yaml", PIPELINE.replace("dataset: analytics.customers", &table));
        self.write_project(&project, &self.plain_login(&name), &name, PKI);
        Mutation { guide: self, name, project }.works()
    }

    /// A login by a secret id that was not wrapped.
    fn plain_login(&self, role: &str) -> String {
        let id = self.run(&format!("bao read -field=role_id auth/approle/role/{role}/role-id"));
        let file = self.etc(&format!("secret-id-{role}"));
        self.run(&format!("bao write -field=secret_id -f auth/approle/role/{role}/secret-id > {file}"));
        format!("approle: {{ role_id: '{id}', secret_id: 'file:{file}' }}")
    }
}

impl Mutation<'_> {
    fn lockgate(&self, args: &[&str]) -> Result<(), String> {
        let said = self.project.lockgate(args);
        if said.code == 0 { Ok(()) } else { Err(format!("{args:?}: {}{}", said.out, said.err)) }
    }

    /// Looks, runs, rotates, and runs for longer than the token and the login last.
    fn works(&self) -> Result<(), String> {
        let name = &self.name;
        self.lockgate(&["doctor"])?;
        self.project.write("landing/customers/2026-11-01/a.csv", CSV);
        self.lockgate(&["run", "daily"])?;
        let is_nothing_left = |kind: &str| {
            let left = format!("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'v-{kind}-{name}-%'");
            if self.guide.psql("warehouse", &left) == "0" { Ok(()) } else { Err(format!("its role is left: {kind}")) }
        };
        is_nothing_left("approle")?;
        let is_given_back = |entry: &Value| {
            entry["type"] == "response"
                && entry["error"].is_null()
                && entry["request"]["path"] == "auth/token/revoke-self"
                && entry["auth"]["policies"].as_array().is_some_and(|policies| policies.contains(&json!(name)))
        };
        if !self.guide.own.0.audit().iter().any(is_given_back) {
            return Err("its token is left behind".into());
        }
        // With somebody else's token, which lives on.
        let login = fs::read_to_string(self.project.path("lockgate.yaml")).unwrap();
        let make = format!("bao token create -policy={name} -no-default-policy -ttl=1h -field=token");
        self.project.write("token", self.guide.run(&make));
        self.guide.write_project(&self.project, "token: 'file:./token'", name, PKI);
        self.project.write("landing/customers/2026-11-01/b.csv", CSV.replace("\n1,", "\n4,"));
        self.lockgate(&["run", "daily"])?;
        is_nothing_left("token")?;
        self.project.write("lockgate.yaml", login);

        self.lockgate(&["keys", "rotate", "kek"])?;
        self.project.write("landing/customers/2026-11-01/c.csv", CSV.replace("\n1,", "\n5,"));
        std::thread::scope(|scope| {
            let held = format!("BEGIN; LOCK TABLE analytics.{name}; SELECT pg_sleep(7); COMMIT");
            scope.spawn(move || self.guide.psql("warehouse", &held));
            self.lockgate(&["run", "daily"])
        })
    }
}

impl Guide {
    fn rotating(&self) {
        self.write_project(&self.project, &self.plain_login("etl"), "etl", &self.files());
        let blocks = section("Rotating");
        let all: Vec<_> = of(&blocks, "console").into_iter().map(commands).collect();
        let [password, stolen, keys, certificate] = all.as_slice() else { panic!("{} blocks", all.len()) };
        let run = |commands: &[String]| self.run(&commands.concat());

        let read = || self.run("bao read -field=password database/static-creds/etl-static");
        let before = read();
        run(password);
        assert_ne!(read(), before);

        let user = self.run("bao read -field=username database/creds/etl");
        let there = || self.psql("warehouse", &format!("SELECT count(*) FROM pg_roles WHERE rolname = '{user}'"));
        assert_eq!(there(), "1");
        run(stolen);
        let until = Instant::now() + Duration::from_secs(20);
        while there() != "0" {
            assert!(Instant::now() < until, "{user} is still there");
            std::thread::sleep(Duration::from_millis(50));
        }

        let count = |scope: &str| {
            let listed: Value =
                serde_json::from_str(&self.run("lockgate keys list --format json --project /srv/retail")).unwrap();
            listed["keys"].as_array().unwrap().iter().filter(|key| key["scope"] == scope).count()
        };
        let before = (count("kek"), count("analytics.customers.name"));
        run(keys);
        assert_eq!((count("kek"), count("analytics.customers.name")), (before.0 + 1, before.1 + 1));

        let serial = || {
            let read = format!("openssl x509 -noout -serial -in {} | cut -d= -f2", self.etc("svc-etl.crt"));
            self.run(&format!("python3 -c \"print(int('$({read})', 16))\"")).trim().to_owned()
        };
        let before = serial();
        assert_eq!(self.shown_to_the_database(), before, "what is shown before");
        run(certificate);
        assert_ne!(serial(), before);
        assert_eq!(self.shown_to_the_database(), serial(), "the next connection shows the new one");
    }

    /// The serial number of the certificate that a run shows; empty where the database saw none.
    fn shown_to_the_database(&self) -> String {
        let file = format!("landing/customers/2026-11-01/{}.csv", self.run("date +%s%N").trim());
        self.project.write(&file, "id,name,email,card,born,city\n7,Ada,,,,\n");
        let shown = "SELECT client_serial FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'lockgate' \
                     AND client_serial IS NOT NULL LIMIT 1";
        let mut serial = String::new();
        std::thread::scope(|scope| {
            scope.spawn(|| self.psql("warehouse", "BEGIN; LOCK TABLE analytics.customers; SELECT pg_sleep(4); COMMIT"));
            let run = scope.spawn(|| self.run("lockgate run daily_customers --project /srv/retail"));
            while serial.is_empty() && !run.is_finished() {
                serial = self.psql("warehouse", shown);
            }
        });
        serial
    }

    fn daily(&self) {
        let blocks = section("Running it daily");
        let today = self.run("date +%F").trim().to_owned();
        for (number, (what, command)) in
            [("cron", self.cron(&blocks)), ("Airflow", self.airflow(&blocks, &today))].iter().enumerate()
        {
            let file = format!("landing/customers/{today}/{number}.csv");
            self.project.write(&file, format!("id,name,email,card,born,city\n{},Ada,,,,\n", 1_000 + number));
            self.run(command);
            let there = format!("SELECT count(*) FROM analytics.customers WHERE id = {}", 1_000 + number);
            assert_eq!(self.psql("warehouse", &there), "1", "{what}: {command}");
        }
        assert!(!fs::read_to_string(self.folder.path().join("log/retail.log")).unwrap().is_empty());
    }

    /// The command of a line of a crontab, in which `%` stands for a line break unless it is escaped.
    fn cron(&self, blocks: &[Block]) -> String {
        let line = of(blocks, "cron")[0].trim();
        let fields: Vec<_> = line.split_whitespace().take(5).collect();
        assert!(fields.iter().all(|field| *field == "*" || field.parse::<u8>().is_ok()), "{line}");
        let command = line.split_once("lockgate").map(|(_, rest)| format!("lockgate{rest}")).unwrap();
        assert!(!command.replace("\\%", "").contains('%'), "{command}");
        command.replace("\\%", "%")
    }

    /// The command that Airflow would run: the snippet is executed with a stand-in for Airflow's operator.
    fn airflow(&self, blocks: &[Block], today: &str) -> String {
        let package = self.folder.path().join("stub/airflow/operators");
        fs::create_dir_all(&package).unwrap();
        fs::write(
            package.join("bash.py"),
            "def BashOperator(*, task_id, bash_command, retries):\n    assert task_id and retries > 0\n    print(bash_command)\n",
        )
        .unwrap();
        fs::write(self.folder.path().join("dag.py"), of(blocks, "python")[0]).unwrap();
        self.run("PYTHONPATH=stub python3 dag.py").replace("{{ ds }}", today)
    }
}

/// A process that ends when the test does.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
