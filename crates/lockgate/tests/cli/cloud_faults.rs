//! A run into PostgreSQL that is cut off in every way: nothing is lost, nothing is there twice, and the next run mends it.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::cloud::{Cloud, Parts};

/// How many times a run is killed; more with `LOCKGATE_KILLS`.
const KILLS: u32 = 10;
/// How many times the server is struck down; more with `LOCKGATE_KILLS`.
const STRIKES: u32 = 6;
/// The rows of a drill; more with `LOCKGATE_DRILL_ROWS`.
const DRILL_ROWS: usize = 60_000;

fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Customers as a file of this machine, so that only the database is in question.
fn local(secret: &str, mode: &str, rows: usize) -> Option<Cloud> {
    local_files(&Parts { secret, mode, keys: "local: ./keys", ..Parts::default() }, rows)
}

/// A project whose landing zone is a folder, with so many customers in it.
pub(crate) fn local_files(parts: &Parts<'_>, rows: usize) -> Option<Cloud> {
    let cloud = Cloud::new(parts)?;
    let text = std::fs::read_to_string(cloud.site.path("lockgate.yaml")).unwrap();
    let lines: Vec<_> = text
        .lines()
        .map(|line| if line.starts_with("  landing:") { "  landing: { at: 'file://./landing' }" } else { line })
        .collect();
    cloud.site.write("lockgate.yaml", lines.join("\n"));
    cloud.site.write("landing/customers/2026-11-01/a.csv", customers(0..rows));
    Some(cloud)
}

/// A file of customers.
fn customers(ids: std::ops::Range<usize>) -> String {
    let mut csv = "id,name,email,card,born,city\n".to_owned();
    for id in ids {
        writeln!(csv, "{id},Name {id},n{id}@example.com,4111111111111111,1990-01-01,City {id}").unwrap();
    }
    csv
}

/// Every row once, and a ledger that verifies.
fn is_whole(cloud: &Cloud, rows: usize) {
    assert_eq!(
        cloud.sql("select count(*), count(distinct id), count(distinct lockgate_rid) from TABLE"),
        format!("{rows}|{rows}|{rows}")
    );
    cloud.lockgate(&["verify"]).exits(0);
}

#[test]
fn a_run_that_is_killed_anywhere_is_finished_or_repeated_by_the_next() {
    for mode in ["mode: append", "mode: merge, key: [id]", "mode: replace"] {
        let rows = 3_000;
        let Some(cloud) = local("user: by_password, secret: 'vault:kv1/warehouse#password'", mode, rows) else {
            return;
        };
        let began = std::time::Instant::now();
        cloud.lockgate(&["run", "daily"]).exits(0);
        let whole = began.elapsed();
        let kills = number("LOCKGATE_KILLS", KILLS as usize) as u32;
        for kill in 1..=kills {
            cloud.site.write(
                &format!("landing/customers/2026-11-01/{kill}.csv"),
                format!("id,name,email,card,born,city\n{},x,,,,\n", 1_000_000 + kill),
            );
            let mut child =
                cloud.site.command(&["run", "daily"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(whole * kill / kills);
            let _ = child.kill();
            child.wait().unwrap();
            cloud.lockgate(&["run", "daily"]).exits(0);
        }
        is_whole(&cloud, rows + kills as usize);
    }
}

/// Whether a run went on although its server was struck down; if not, it must have said the cause.
pub(crate) fn went_on(code: Option<i32>, said: &str) -> bool {
    let causes = [
        "the connection to the server was lost",
        "the connection was lost while the run was committed",
        "ended the session",
        "the server was restarted",
        "starts up or shuts down",
        "can't be reached",
    ];
    match code {
        Some(0) => true,
        Some(4) if causes.iter().any(|cause| said.contains(cause)) => false,
        other => panic!("{other:?}: {said}"),
    }
}

/// The server itself falls, and comes back.
#[test]
fn a_server_that_crashes_anywhere_loses_nothing_and_doubles_nothing() {
    for (mode, rows) in [("mode: append", 20_000), ("mode: merge, key: [id]", 10_000), ("mode: replace", 5_000)] {
        let secret = "user: by_password, secret: 'vault:kv1/warehouse#password'";
        let Some(mut cloud) = local(secret, mode, rows) else { return };
        let own = cloud.move_to_own_postgres();
        let began = std::time::Instant::now();
        cloud.lockgate(&["run", "daily"]).exits(0);
        let whole = began.elapsed();
        let mut outcomes = (0, 0);
        let strikes = number("LOCKGATE_KILLS", STRIKES as usize) as u32;
        for strike in 1..=strikes {
            // Each time a file as large as the first, so that the moments are spread over a load.
            let first = rows * strike as usize;
            cloud.site.write(&format!("landing/customers/2026-11-01/{strike:04}.csv"), customers(first..first + rows));
            let mut running = cloud.site.command(&["run", "daily"]);
            let running = running.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            std::thread::sleep(whole * strike / strikes);
            own.0.strike_postgres();
            let ended = running.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&ended.stderr);
            match went_on(ended.status.code(), &said) {
                true => outcomes.0 += 1,
                false => outcomes.1 += 1,
            }
            cloud.lockgate(&["run", "daily"]).exits(0);
        }
        eprintln!("{mode}: {} runs went on, {} stopped and were repeated", outcomes.0, outcomes.1);
        assert!(outcomes.1 > 0, "no strike met a load");
        is_whole(&cloud, rows * (strikes as usize + 1));
    }
}

/// How a proxy treats what goes through it.
#[derive(Debug, Clone, Copy)]
enum Cut {
    /// Both sides are closed.
    Drop,
    /// Only the way to the server is.
    HalfClose,
    /// Everything waits, and goes on.
    Delay,
}

/// Passes connections on to a port, and cuts once, when so many bytes went through; gives its own port.
fn proxy(to: u16, bytes: i64, cut: Cut) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let left = Arc::new(AtomicI64::new(bytes));
    std::thread::spawn(move || {
        for inbound in listener.incoming() {
            let Ok(inbound) = inbound else { return };
            let outbound = TcpStream::connect(("127.0.0.1", to)).unwrap();
            for (mut from, mut into, forward) in [
                (inbound.try_clone().unwrap(), outbound.try_clone().unwrap(), true),
                (outbound.try_clone().unwrap(), inbound.try_clone().unwrap(), false),
            ] {
                let left = Arc::clone(&left);
                std::thread::spawn(move || {
                    let mut buffer = [0; 4096];
                    while let Ok(read @ 1..) = from.read(&mut buffer) {
                        let before = left.fetch_sub(read as i64, Ordering::Relaxed);
                        if before > 0 && before <= read as i64 {
                            match cut {
                                Cut::Drop => {
                                    let _ = (from.shutdown(Shutdown::Both), into.shutdown(Shutdown::Both));
                                    return;
                                }
                                Cut::HalfClose if forward => {
                                    let _ = into.shutdown(Shutdown::Write);
                                    return;
                                }
                                Cut::HalfClose => {}
                                Cut::Delay => std::thread::sleep(Duration::from_secs(1)),
                            }
                        }
                        if into.write_all(&buffer[..read]).is_err() {
                            return;
                        }
                    }
                    let _ = into.shutdown(Shutdown::Write);
                });
            }
        }
    });
    port
}

#[test]
fn a_connection_that_is_cut_anywhere_loses_nothing_and_doubles_nothing() {
    let rows = 2_000;
    let Some(cloud) = local("user: by_password, secret: 'vault:kv1/warehouse#password'", "mode: append", rows) else {
        return;
    };
    let direct = std::fs::read_to_string(cloud.site.path("lockgate.yaml")).unwrap();
    let port: u16 = cloud.services.text("/postgres/port").parse().unwrap();
    cloud.lockgate(&["run", "daily"]).exits(0);
    let mut files = 0;
    for cut in [Cut::Drop, Cut::HalfClose, Cut::Delay] {
        for bytes in [1, 3_000, 8_000, 20_000, 32_000] {
            files += 1;
            let csv: String = (0..100).map(|n| format!("{},n,,,,\n", 1_000_000 + files * 100 + n)).collect();
            cloud.site.write(
                &format!("landing/customers/2026-11-01/{files}.csv"),
                format!("id,name,email,card,born,city\n{csv}"),
            );
            let through = proxy(port, bytes, cut);
            cloud
                .site
                .write("lockgate.yaml", direct.replace(&format!("localhost:{port}"), &format!("localhost:{through}")));
            let said = cloud.lockgate(&["run", "daily"]);
            assert!(matches!(said.code, 0 | 4), "{cut:?} after {bytes}: {} {}", said.code, said.err);
            cloud.site.write("lockgate.yaml", &direct);
            cloud.lockgate(&["run", "daily"]).exits(0);
        }
    }
    is_whole(&cloud, rows + files * 100);
}

/// Runs the job, does something while its rows are on their way, and gives how it ended and what it said.
fn while_it_loads(cloud: &Cloud, doing: impl FnOnce()) -> (i32, String) {
    let child = cloud.site.command(&["run", "daily"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let copying = format!("select count(*) from pg_stat_activity where query like 'COPY%{}%'", cloud.schema);
    for _ in 0..200 {
        if cloud.sql(&copying) != "0" {
            break;
        }
    }
    doing();
    let ended = child.wait_with_output().unwrap();
    (ended.status.code().unwrap_or(-1), String::from_utf8_lossy(&ended.stderr).into_owned())
}

#[test]
fn a_password_that_is_rotated_while_rows_are_loaded_stops_nothing() {
    let rows = number("LOCKGATE_DRILL_ROWS", DRILL_ROWS);
    let Some(cloud) = local("secret: 'vault-db-static:etl-drill'", "mode: append", 0) else { return };
    cloud.services.sql("do $$ begin create role static_drill login password 'x' in role writers; exception when duplicate_object then null; end $$; alter role static_drill set role = 'writers'");
    let role = json!({ "db_name": "warehouse", "username": "static_drill", "rotation_period": "24h",
        "rotation_statements": ["ALTER USER \"{{name}}\" WITH PASSWORD '{{password}}'"] });
    cloud.services.vault("POST", "database/static-roles/etl-drill", &role);
    let Some(source) = local("secret: 'vault-db-static:etl-drill'", "mode: append", rows) else { return };
    let rotate = || drop(source.services.vault("POST", "database/rotate-role/etl-drill", &json!({})));
    let (code, said) = while_it_loads(&source, rotate);
    assert_eq!(code, 0, "{said}");
    is_whole(&source, rows);
    source.site.write("landing/customers/2026-11-01/b.csv", "id,name,email,card,born,city\n-1,x,,,,\n");
    source.lockgate(&["run", "daily"]).exits(0);
    is_whole(&source, rows + 1);
}

#[test]
fn a_lease_that_is_revoked_stops_the_run_with_the_cause_and_the_next_finishes() {
    let rows = number("LOCKGATE_DRILL_ROWS", DRILL_ROWS);
    let Some(cloud) = local("secret: 'vault-db:etl-revoked'", "mode: append", rows) else { return };
    let create = "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' IN ROLE writers; ALTER ROLE \"{{name}}\" SET role = 'writers'";
    let revoke = [
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{{name}}'",
        "DROP ROLE IF EXISTS \"{{name}}\"",
    ];
    let role = json!({ "db_name": "warehouse", "creation_statements": [create], "revocation_statements": revoke, "default_ttl": "1h", "max_ttl": "24h" });
    cloud.services.vault("POST", "database/roles/etl-revoked", &role);
    let revoke = || {
        drop(cloud.services.vault(
            "POST",
            "sys/leases/revoke-prefix/database/creds/etl-revoked",
            &json!({ "sync": true }),
        ))
    };
    let (code, said) = while_it_loads(&cloud, revoke);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("lease revoked") || said.contains("connection to the server was lost"), "{said}");
    cloud.lockgate(&["run", "daily"]).exits(0);
    is_whole(&cloud, rows);
}

#[test]
fn a_role_that_is_dropped_while_rows_are_loaded_loses_nothing_and_doubles_nothing() {
    let rows = number("LOCKGATE_DRILL_ROWS", DRILL_ROWS);
    let Some(cloud) = local("secret: 'vault-db:etl'", "mode: append", rows) else { return };
    let drop_roles = format!(
        "do $$ declare name text; begin for name in select distinct usename from pg_stat_activity \
         where query like 'COPY%{}%' and usename like 'v-%' loop execute format('drop role %I', name); end loop; end $$",
        cloud.schema
    );
    let dropped = "select count(*) from pg_stat_activity a where a.query like 'COPY%SCHEMA%' and a.usename is null";
    let (code, said) = while_it_loads(&cloud, || {
        cloud.services.sql(&drop_roles);
        assert_eq!(
            cloud.services.sql(&dropped.replace("SCHEMA", &cloud.schema)),
            "1",
            "its role is gone, its session is there"
        );
    });
    // PostgreSQL lets a session go on whose role is gone.
    assert!(matches!(code, 0 | 4), "{code}: {said}");
    cloud.lockgate(&["run", "daily"]).exits(0);
    is_whole(&cloud, rows);
}

#[test]
fn a_role_that_is_gone_is_named() {
    let Some(cloud) = local("secret: 'vault-db:etl-gone'", "mode: append", 10) else { return };
    let said = cloud.lockgate(&["run", "daily"]);
    let said = said.exits(2);
    assert!(said.err.contains("database/creds/etl-gone"), "{}", said.err);
}

#[test]
fn a_token_that_reaches_its_last_end_is_replaced_by_another() {
    let rows = number("LOCKGATE_DRILL_ROWS", DRILL_ROWS);
    let Some(cloud) = local("user: by_password, secret: 'vault:kv1/warehouse#password'", "mode: append", rows) else {
        return;
    };
    cloud.services.vault(
        "POST",
        "auth/approle/role/brief",
        &json!({ "token_policies": "etl", "token_ttl": "1s", "token_max_ttl": "2s" }),
    );
    let id = cloud.services.vault("GET", "auth/approle/role/brief/role-id", &json!(null));
    let secret = cloud.services.vault("POST", "auth/approle/role/brief/secret-id", &json!({}));
    cloud.site.write("secret-id", secret["data"]["secret_id"].as_str().unwrap());
    let text = std::fs::read_to_string(cloud.site.path("lockgate.yaml")).unwrap();
    let (before, after) = text.split_once("role_id: '").unwrap();
    let after = after.split_once('\'').unwrap().1;
    cloud.site.write("lockgate.yaml", format!("{before}role_id: '{}'{after}", id["data"]["role_id"].as_str().unwrap()));
    cloud.lockgate(&["run", "daily"]).exits(0);
    is_whole(&cloud, rows);
}

#[test]
fn a_vault_that_is_sealed_for_a_while_is_waited_for() {
    let Some(cloud) = local("user: by_password, secret: 'vault:kv/warehouse#password'", "mode: append", 100) else {
        return;
    };
    let own = cloud.services.own_vault();
    own.0.vault("POST", "sys/mounts/kv", &json!({ "type": "kv", "options": { "version": "1" } }));
    own.0.vault("POST", "kv/warehouse", &json!({ "password": "planted-postgres-password" }));
    cloud.site.write("token", "root");
    let text = std::fs::read_to_string(cloud.site.path("lockgate.yaml")).unwrap();
    let (before, rest) = text.split_once("  login: {").unwrap();
    let after = rest.split_once('\n').unwrap().1;
    let text = format!("{before}  login: {{ token: 'file:./token' }}\n{after}");
    let addresses = (cloud.services.text("/vault/address"), own.0.text("/vault/address"));
    cloud.site.write("lockgate.yaml", text.replace(&addresses.0, &addresses.1));
    let sealed = own.0.seal(20);
    let began = std::time::Instant::now();
    cloud.lockgate(&["run", "daily"]).exits(0);
    assert!(began.elapsed() > Duration::from_secs(10), "it was sealed: {:?}", began.elapsed());
    drop(sealed);
    is_whole(&cloud, 100);
}
