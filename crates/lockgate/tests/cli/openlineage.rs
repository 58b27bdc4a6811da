//! OpenLineage events: what they say, and that none is lost.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

use crate::support::Site;

fn lines(site: &Site) -> Vec<Value> {
    let text = fs::read_to_string(site.path("events.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["eventType"].as_str().unwrap()).collect()
}

fn run_to_file(site: &Site, args: &[&str]) -> i32 {
    let path = site.path("events.jsonl");
    let args: Vec<&str> = ["run", "daily"].into_iter().chain(args.iter().copied()).collect();
    let env = [
        ("OPENLINEAGE__TRANSPORT__TYPE", "file"),
        ("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", path.to_str().unwrap()),
        ("OPENLINEAGE__TRANSPORT__APPEND", "true"),
        ("OPENLINEAGE_PARENT_ID", "airflow/dag.task/01a21316-2787-7d74-9304-9588f8eed8bb"),
    ];
    site.lockgate_with(&args, &env).code
}

#[test]
fn a_run_is_told_of_from_its_start_to_its_end() {
    let site = Site::new();
    assert_eq!(run_to_file(&site, &[]), 0);
    let events = lines(&site);
    assert_eq!(types(&events), ["START", "RUNNING", "COMPLETE"]);
    assert!(events.iter().all(|event| event["run"]["runId"] == events[0]["run"]["runId"]));
    let end = &events[2];
    assert_eq!((&end["job"]["namespace"], &end["job"]["name"]), (&"retail".into(), &"daily".into()));
    let facets = &end["run"]["facets"];
    assert_eq!(facets["parent"]["job"]["name"], "dag.task");
    assert_eq!(facets["nominalTime"]["nominalStartTime"], "2026-11-01T00:00:00Z");
    assert_eq!(facets["lockgate_run"]["columns"][1]["protection"], "sealed");
    let (input, output) = (&end["inputs"][0], &end["outputs"][0]);
    assert_eq!(input["namespace"], "file");
    assert!(input["name"].as_str().unwrap().ends_with("/landing/customers"), "{input}");
    assert_eq!(input["inputFacets"]["inputStatistics"]["rowCount"], 3);
    assert_eq!(input["inputFacets"]["dataQualityAssertions"]["assertions"][0]["success"], true);
    assert_eq!(output["outputFacets"]["outputStatistics"]["rowCount"], 3);
    let email = &output["facets"]["columnLineage"]["fields"]["email"]["inputFields"][0];
    assert_eq!((&email["name"], &email["transformations"][0]["masking"]), (&input["name"], &true.into()));
    assert_eq!(run_to_file(&site, &["--param", "date=2020-01-01"]), 1);
    let failed = lines(&site).pop().unwrap();
    assert_eq!(failed["eventType"], "FAIL");
    assert!(failed["run"]["facets"]["errorMessage"]["message"].as_str().unwrap().contains("no file matches"));
    assert_eq!(fs::read_dir(site.path(".lockgate/openlineage/running")).unwrap().count(), 0);
    let disabled = [("OPENLINEAGE_URL", "http://localhost:9"), ("OPENLINEAGE_DISABLED", "true")];
    site.lockgate_with(&["run", "daily"], &disabled).exits(0);
    let kafka = site.lockgate_with(&["run", "daily"], &[("OPENLINEAGE__TRANSPORT__TYPE", "kafka")]).exits(0);
    assert!(kafka.err.contains("`kafka` is not built"), "{}", kafka.err);
}

#[test]
fn a_project_says_where_events_go() {
    let site = Site::new();
    site.replace("lockgate.yaml", "keys:\n", "lineage: { to: 'file://./events.jsonl', namespace: shop }\nkeys:\n");
    site.run();
    let events = lines(&site);
    assert_eq!(types(&events), ["START", "RUNNING", "COMPLETE"]);
    assert_eq!(events[0]["job"]["namespace"], "shop");
    for (wrong, said) in [
        ("'ftp://x'", "cannot go to `ftp://x`"),
        ("'http://x', oauth: c", "a token goes by TLS only"),
        ("'https://x', oauth: c", "there is no client `c` under `oauth`"),
    ] {
        site.replace("lockgate.yaml", "'file://./events.jsonl', namespace: shop", wrong);
        let found = site.lockgate(&["check"]).exits(2).out;
        assert!(found.contains(said), "{wrong}: {found}");
        site.replace("lockgate.yaml", wrong, "'file://./events.jsonl', namespace: shop");
    }
}

#[test]
fn a_run_that_was_broken_off_is_told_of_by_the_next_one() {
    let site = Site::new();
    assert_eq!(run_to_file(&site, &[]), 0);
    let mut event = lines(&site)[0].clone();
    event["eventType"] = "ABORT".into();
    site.write(".lockgate/openlineage/running/x.json", event.to_string());
    site.write(".lockgate/openlineage/running/y.json", "{ half");
    assert_eq!(run_to_file(&site, &[]), 0);
    let events = lines(&site);
    assert_eq!(types(&events)[3..], ["ABORT", "START", "COMPLETE"], "and that nothing was new");
    assert_eq!(events[3]["run"]["runId"], events[0]["run"]["runId"]);
}

/// A server that answers each request as it is told, and gives what it got.
fn server(answer: impl Fn(usize) -> &'static str + Send + 'static) -> (String, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (got, taken) = channel();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                reader.read_line(&mut head).unwrap();
            }
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            let mut body = vec![0; length.unwrap()];
            reader.read_exact(&mut body).unwrap();
            let status = answer(number);
            let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            if got.send((head, serde_json::from_slice(&body).unwrap())).is_err() {
                return;
            }
        }
    });
    (url, taken)
}

#[test]
fn what_a_server_did_not_take_waits_for_the_next_run() {
    let site = Site::new();
    let (down, _asked) = server(|_| "503 Service Unavailable");
    let said = site.lockgate_with(&["run", "daily"], &[("OPENLINEAGE_URL", &down)]).exits(0);
    assert!(said.err.contains("503") && said.err.contains("sent by the next run"), "{}", said.err);
    let mut folder = fs::read_dir(site.path(".lockgate/openlineage")).unwrap().map(|entry| entry.unwrap().path());
    let waiting = folder.find(|path| path.file_name().unwrap().to_string_lossy().starts_with("http-")).unwrap();
    let (up, taken) = server(|number| if number == 1 { "422 Unprocessable Entity" } else { "201 Created" });
    // The same server, as far as its folder tells: it has come back.
    let port = |url: &str| url.rsplit_once(':').unwrap().1.to_owned();
    let renamed = waiting.to_string_lossy().replace(&port(&down), &port(&up));
    fs::rename(&waiting, &renamed).unwrap();
    let env = [("OPENLINEAGE_URL", up.as_str()), ("OPENLINEAGE_API_KEY", "s3cret"), ("OPENLINEAGE_NAMESPACE", "ns")];
    site.lockgate_with(&["run", "daily"], &env).exits(0);
    let got: Vec<_> = taken.try_iter().collect();
    let events: Vec<Value> = got.iter().map(|(_, event)| event.clone()).collect();
    assert_eq!(types(&events)[..3], ["START", "RUNNING", "COMPLETE"], "in their order");
    assert_eq!(events.last().unwrap()["eventType"], "COMPLETE");
    assert_eq!(events.last().unwrap()["job"]["namespace"], "ns");
    assert!(got.iter().all(|(head, _)| head.starts_with("POST /api/v1/lineage ")
        && head.to_lowercase().contains("authorization: bearer s3cret")));
    let refused: Vec<_> = fs::read_dir(format!("{renamed}/refused")).unwrap().collect();
    assert_eq!(refused.len(), 1, "what the server refuses for good is kept");
    let left = fs::read_dir(&renamed)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "json"));
    assert_eq!(left.count(), 0);
}
