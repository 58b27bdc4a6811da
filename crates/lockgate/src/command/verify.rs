//! `verify`: recomputes a ledger, offline and without secrets.

use std::path::{Path, PathBuf};

use lockgate_forensics::{VerifyOutcome, VerifyRequest};
use lockgate_ledger::VerifierKey;
use lockgate_model::{Failure, FailureKind};
use lockgate_trust::{LedgerPlace, SEEN_CHECKPOINT_FILE, VERIFIER_KEY_FILE};

use crate::cli::{Format, VerifyArgs};
use crate::output::thousands;
use crate::{context, output};

pub(crate) fn verify(dir: Option<&Path>, args: &VerifyArgs) -> Result<u8, Failure> {
    let request = request(dir, args)?;
    let runtime = context::runtime()?;
    let outcome = lockgate_forensics::verify(&request, runtime.handle())?;
    match args.format {
        Format::Json => output::print_json(&outcome)?,
        Format::Text => output::print(&text(&request, &outcome))?,
    }
    Ok(0)
}

fn request(dir: Option<&Path>, args: &VerifyArgs) -> Result<VerifyRequest, Failure> {
    let mut seen = args
        .against
        .iter()
        .map(|path| Ok((path.display().to_string(), read(path)?)))
        .collect::<Result<Vec<_>, Failure>>()?;
    let given = args.public_key.as_deref().map(public_key).transpose()?;
    if let (Some(ledger), Some(key)) = (&args.ledger, &given) {
        let ledger = LedgerPlace::folder(ledger);
        return Ok(VerifyRequest { ledger, key: key.clone(), seen, with_key_table: false });
    }
    // The project is needed only for what was not said.
    let project = context::load(dir).map_err(|failure| {
        failure.with_help("to verify without a project, say both `lockgate verify LEDGER` and `--public-key KEY`")
    })?;
    let keys = &project.keys.default.path;
    let key = match given {
        Some(key) => key,
        None => public_key(&keys.join(VERIFIER_KEY_FILE).display().to_string())?,
    };
    let kept = keys.join(SEEN_CHECKPOINT_FILE);
    if args.ledger.is_none() && kept.exists() {
        seen.push((kept.display().to_string(), read(&kept)?));
    }
    let with_key_table = args.ledger.is_none();
    let ledger = match &args.ledger {
        Some(folder) => LedgerPlace::folder(folder),
        None => project.ledger_place()?,
    };
    Ok(VerifyRequest { ledger, key, seen, with_key_table })
}

/// A key as it is written, or the file that holds it.
fn public_key(given: &str) -> Result<VerifierKey, Failure> {
    if let Ok(key) = given.parse() {
        return Ok(key);
    }
    read(&PathBuf::from(given))?
        .parse()
        .map_err(|error| Failure::new(FailureKind::Invalid, format!("`{given}`: {error}")))
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::new(FailureKind::Invalid, format!("{} cannot be read: {error}", path.display())))
}

fn text(request: &VerifyRequest, outcome: &VerifyOutcome) -> String {
    let mut text = format!(
        "{} verifies: {} entries, root {}\n  signed by  {}\n",
        outcome.origin,
        thousands(outcome.size),
        outcome.root,
        request.key
    );
    let rows: Vec<_> = outcome.entries.iter().map(|(kind, count)| vec![kind.clone(), thousands(*count)]).collect();
    text.push_str(&output::table(&rows, 13));
    text.push_str(&format!(
        "  attached   {} objects, {} bytes\n  commits    {}, each with the counts of its objects\n  accesses   {}, each with the counts of its rows\n",
        thousands(outcome.attachments),
        thousands(outcome.attachment_bytes),
        thousands(outcome.commits),
        thousands(outcome.accesses)
    ));
    if outcome.open_accesses > 0 {
        let open = thousands(outcome.open_accesses);
        text.push_str(&format!("             {open} without an end: each counts as every row of its inputs\n"));
    }
    text.push_str(&match outcome.keys {
        Some(keys) => format!("  keys       {keys}, in the state that the entries lead to\n"),
        None => "  keys       not compared: the key table is not here\n".to_owned(),
    });
    text.push_str(&match outcome.seen {
        0 => "  compared   with no checkpoint from before: a roll-back cannot be ruled out\n".to_owned(),
        seen => format!("  compared   with {seen} checkpoint{} from before\n", if seen == 1 { "" } else { "s" }),
    });
    text.push_str("\nkeep this checkpoint; `lockgate verify --against FILE` compares with it\n\n");
    text.push_str(&outcome.signed_checkpoint);
    text
}
