//! What becomes of secrets while the program runs, and after it was struck down; and logins that would not outlast a run.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::cloud::{Cloud, Parts};
use crate::cloud_faults::local_files;

const PASSWORD: &str = "planted-postgres-password";
const BY_PASSWORD: &str = "user: by_password, secret: 'vault:kv1/warehouse#password'";

/// Values that were planted as secrets are nowhere but where they were planted.
#[test]
fn no_secret_is_told_to_anybody() {
    let planted = [PASSWORD, "planted-s3-secret-key", "planted-oauth-client-secret"];
    let Some(cloud) = Cloud::new(&Parts { secret: BY_PASSWORD, ..Parts::default() }) else {
        return;
    };
    cloud.land("a.csv", "id,name,email,card,born,city\n1,Ada,a@b.org,,,\n");
    let secret_id = std::fs::read_to_string(cloud.site.path("secret-id")).unwrap();
    let mut all = String::new();
    for args in [&["run", "daily"][..], &["doctor"], &["history"], &["keys", "list"], &["doctor", "--format", "json"]] {
        let said = cloud.lockgate(args);
        all.push_str(&said.out);
        all.push_str(&said.err);
    }
    cloud.services.sql("alter role by_password connection limit -1");
    let wrong = std::fs::read_to_string(cloud.site.path("lockgate.yaml")).unwrap().replace("/warehouse'", "/nowhere'");
    cloud.site.write("lockgate.yaml", wrong);
    all.push_str(&cloud.lockgate(&["run", "daily"]).err);
    // Nor in the ledger, the key store or any other file that the program wrote.
    for (path, content) in cloud.site.files(".") {
        if !path.ends_with("secret-id") {
            all.push_str(&String::from_utf8_lossy(&content));
        }
    }
    for secret in planted.iter().copied().chain([secret_id.as_str()]) {
        assert!(!all.contains(secret), "{secret} was told");
    }
}

/// Waits until a run copies rows, and so has fetched its secrets.
fn await_copying(cloud: &Cloud) {
    let copying = format!("select count(*) from pg_stat_activity where query like 'COPY%{}%'", cloud.schema);
    assert!((0..600).any(|_| cloud.sql(&copying) != "0"), "the run never copied rows");
}

/// The planted values that a file of the system shows, if it may be read at all.
fn assert_without_secrets(file: &str, secrets: &[&str]) {
    match fs::read(file) {
        Ok(content) => {
            let text = String::from_utf8_lossy(&content);
            secrets.iter().for_each(|secret| assert!(!text.contains(secret), "{file} shows {secret}"));
        }
        // Not even we may look, or it has ended.
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::NotFound), "{file}: {error}")
        }
    }
}

#[test]
fn a_running_command_shows_no_secret_to_those_who_list_processes() {
    let Some(cloud) = local_files(
        &Parts { secret: BY_PASSWORD, keys: "local: ./keys", mode: "mode: append", ..Parts::default() },
        60_000,
    ) else {
        return;
    };
    let mut command = cloud.site.command(&["run", "daily"]);
    let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    await_copying(&cloud);
    let process = format!("/proc/{}", running.id());
    let limits = fs::read_to_string(format!("{process}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    let secret_id = fs::read_to_string(cloud.site.path("secret-id")).unwrap();
    let secrets = [PASSWORD, secret_id.as_str()];
    let command_line = fs::read_to_string(format!("{process}/cmdline")).unwrap();
    assert!(command_line.contains("daily"), "it still runs: {command_line}");
    let mut processes = vec![running.id().to_string()];
    for task in fs::read_dir(format!("{process}/task")).unwrap() {
        let children = fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default();
        processes.extend(children.split_whitespace().map(str::to_owned));
    }
    for process in processes {
        assert_without_secrets(&format!("/proc/{process}/cmdline"), &secrets);
        assert_without_secrets(&format!("/proc/{process}/environ"), &secrets);
    }
    assert!(running.wait().unwrap().success());
}

/// Runs a shell's command in a folder with core dumps allowed, lets `strike` end it, and says whether the kernel wrote a core.
fn dumps_core(folder: &Path, command: &str, strike: impl FnOnce(u32)) -> bool {
    let script = format!("ulimit -c unlimited 2>/dev/null; {command}");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(folder).env("NO_COLOR", "1").stdout(Stdio::null()).stderr(Stdio::null());
    let mut running = shell.spawn().unwrap();
    strike(running.id());
    let ended = running.wait().unwrap();
    assert_eq!(ended.signal(), Some(6), "{command}: {ended:?}");
    ended.core_dumped()
}

#[test]
fn a_command_that_is_struck_down_leaves_no_core() {
    let Some(cloud) = local_files(
        &Parts { secret: BY_PASSWORD, keys: "local: ./keys", mode: "mode: append", ..Parts::default() },
        60_000,
    ) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let lockgate = cloud.site.command(&["run", "daily"]);
    let words = std::iter::once(lockgate.get_program()).chain(lockgate.get_args());
    let words: Vec<_> = words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
    let dumped = dumps_core(folder.path(), &format!("exec {}", words.join(" ")), |process| {
        await_copying(&cloud);
        assert!(Command::new("kill").args(["-ABRT", &process.to_string()]).status().unwrap().success());
    });
    assert!(!dumped, "the kernel wrote a core");
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path()).collect();
    left.iter().for_each(|file| assert_without_secrets(&file.to_string_lossy(), &[PASSWORD]));
    assert_eq!(left.len(), 0, "{left:?}");
    // That another program's death does leave one shows that the test could fail; not every kernel lets it.
    if !dumps_core(folder.path(), "exec sh -c 'kill -ABRT $$'", |_| ()) {
        eprintln!("this kernel writes no core for anybody");
    }
    cloud.lockgate(&["run", "daily"]).exits(0);
    assert_eq!(cloud.sql("select count(*), count(distinct id) from TABLE"), "60000|60000");
}

#[test]
fn a_run_whose_token_would_end_before_it_is_refused_with_both_figures() {
    let parts = |login| Parts { login, secret: BY_PASSWORD, keys: "local: ./keys", mode: "mode: append" };
    let Some(cloud) = local_files(&parts("token: 'env:ETL_TOKEN'"), 10) else { return };
    let token = |renewable: bool| {
        let wanted = json!({ "ttl": "60s", "renewable": renewable, "policies": ["etl"] });
        cloud.services.vault("POST", "auth/token/create", &wanted)["auth"]["client_token"].as_str().unwrap().to_owned()
    };
    let declare = || cloud.site.replace("pipelines/daily.yaml", "runs_as:", "expected_duration_s: 3600\nruns_as:");
    let fixed = token(false);
    let run = |token: &str| cloud.site.lockgate_with(&["run", "daily"], &[("ETL_TOKEN", token)]);
    // Before there is any history, and when there is one, what the pipeline declares counts.
    declare();
    for round in 0..2 {
        let refused = run(&fixed).exits(3).err;
        assert!(refused.contains("3600 s") && refused.contains("`expected_duration_s`"), "{refused}");
        let (_, left) = refused.split_once("the login from `env:ETL_TOKEN` lasts ").unwrap();
        let left: u64 = left.split_once(" s more").unwrap().0.parse().unwrap();
        assert!((1..=60).contains(&left), "{refused}");
        cloud.site.replace("pipelines/daily.yaml", "expected_duration_s: 3600\n", "");
        run(&fixed).exits(0);
        let more = format!("id,name,email,card,born,city\n{},x,,,,\n", 100 + round);
        cloud.site.write(&format!("landing/customers/2026-11-01/{round}.csv"), more);
        declare();
    }
    // A token that can be renewed, and one that an agent keeps in a file, may last less.
    run(&token(true)).exits(0);
    cloud.site.write("token", &fixed);
    cloud.site.replace("lockgate.yaml", "env:ETL_TOKEN", "file:./token");
    cloud.site.write("landing/customers/2026-11-01/c.csv", "id,name,email,card,born,city\n78,x,,,,\n");
    run("").exits(0);
    assert_eq!(cloud.sql("select count(*), count(distinct id) from TABLE"), "13|13");
}
