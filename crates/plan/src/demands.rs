//! What the levels of a pipeline's columns demand of the places that their values come from and go to.

use lockgate_model::{Level, TransportSecurity};
use lockgate_project::{Code, DatabaseLogin, Diagnostic, Pipeline, Project, Store, StoreLocation, TlsSettings};

use crate::governed::{Governed, Plan};
use crate::output_column::OutputColumn;

/// Everything in which a pipeline's places fall short.
pub(crate) fn unmet(project: &Project, pipeline: &Pipeline, plan: &Governed<Plan>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for table in plan.reads() {
        let Some(dataset) = project.datasets.get(&table.dataset) else { continue };
        let level = table.columns.iter().map(|column| column.level).max();
        if let (Some(level), Some(store)) = (level, project.stores.get(&dataset.store.value)) {
            found.extend(unmet_by(project, store, level, &format!("dataset `{}`", table.dataset), pipeline));
        }
    }
    let Some(store) = project.stores.get(&pipeline.into.store.value) else { return found };
    // A protected value has left its level behind.
    let stored = plan.columns().iter().filter(|column| column.is_stored());
    let level_of = |column: &OutputColumn| match &column.protection {
        Some(_) => column.level.min(store.clearance),
        None => column.level,
    };
    if let Some(level) = stored.map(level_of).max() {
        let what = format!("dataset `{}`", pipeline.into.dataset.value);
        found.extend(unmet_by(project, store, level, &what, pipeline));
    }
    found
}

fn unmet_by(project: &Project, store: &Store, level: Level, what: &str, pipeline: &Pipeline) -> Vec<Diagnostic> {
    let rules = project.lattice.rules(level);
    let level = project.lattice.name(level);
    let mut found = Vec::new();
    let mut report = |message: String, help: &str| {
        let diagnostic = Diagnostic::new(Code::PlaceBelowDemand, store.span, message);
        found.push(diagnostic.with_label(pipeline.into.span, "for this pipeline").with_help(help.to_owned()));
    };
    let own_certificate = |tls: &Option<TlsSettings>| tls.as_ref().unwrap_or(&project.tls).identity.is_some();
    let demands_mtls = rules.transport == Some(TransportSecurity::Mtls);
    match &store.location {
        StoreLocation::Files(_) | StoreLocation::Sqlite(_) => {}
        StoreLocation::S3(location) => {
            if rules.customer_managed_key && location.kms_key.is_none() {
                let message = format!(
                    "{what} has columns of level {level}, which demands a customer-managed key, and store `{}` names none: \
                     whoever runs the bucket would control who may read it",
                    store.name
                );
                report(message, "add `sse: { kms_key: \"arn:aws:kms:…\" }` to the store");
            }
            if demands_mtls && !own_certificate(&location.tls) {
                let message = format!(
                    "{what} has columns of level {level}, which demands mutual TLS, and store `{}` has no certificate of ours",
                    store.name
                );
                report(message, "add `tls: { certificate: …, key: … }` to the store or to the project");
            }
        }
        StoreLocation::Postgres(location) => {
            let by_certificate = matches!(location.login, DatabaseLogin::Certificate { .. });
            if (demands_mtls || by_certificate) && !own_certificate(&location.tls) {
                let why = if by_certificate {
                    "logs in with a certificate".to_owned()
                } else {
                    format!("holds columns of level {level}, which demands mutual TLS")
                };
                let message = format!("store `{}` {why}, and has no certificate of ours", store.name);
                report(message, "add `tls: { certificate: …, key: … }` to the store or to the project");
            }
        }
    }
    found
}
