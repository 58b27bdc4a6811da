//! Files of policies and Ranger's documents become one set of sources, in Ranger's model.
//!
//! ```text
//! documents (JSON) ─► base: service definition, policies, tags, roles, users, shares
//! YAML ─compile─► policies of the same service, added to the base
//! refused: two documents of one kind, a name that two declare, a service without database, table and column
//! ```

mod base;
mod conditions;
mod item;
mod policy;
mod resources;
mod validity;

use std::collections::{BTreeMap, BTreeSet};

use lockgate_policy::model::{Policy, Role, RoleMember, SecurityZone, Text, UserStore};
use lockgate_policy::{Document, Options, RowFilters, Sources};

use super::Checker;
use crate::policies::{POLICIES_MAX, PolicyOrigin, has_dataset_levels};
use crate::raw::{PoliciesFile, PolicySettingsEntry, RoleEntry, RowFiltersChoice, Texts, ZoneEntry};
use crate::source::{FileId, SourceFiles, quotable};
use crate::yaml::{Checked, Entries};
use crate::{Code, Diagnostic, Policies, Span};

/// A document of Ranger with its file.
pub(super) struct DocumentFile {
    pub(super) file: FileId,
    pub(super) document: Document,
}

/// Puts together what the files of policies say. What is wrong is reported to `found`.
pub(super) fn compile(
    documents: Vec<DocumentFile>,
    files: Vec<(FileId, PoliciesFile)>,
    options: Options,
    sources: &SourceFiles,
    found: &mut Vec<Diagnostic>,
) -> Policies {
    let mut compiler = Compiler::new(sources);
    let all = documents.iter().map(|document| document.file).chain(files.iter().map(|(file, _)| *file));
    let Some(first) = all.min() else { return Policies::default() };
    compiler.add_documents(documents);
    if !files.is_empty() {
        base::prepare_for_yaml(&mut compiler.sources.policies);
    }
    for (file, raw) in &files {
        let mut checker = Checker::new(*file, sources);
        compiler.add_people(raw, &mut checker);
        compiler.add_zones(raw, &mut checker);
        compiler.found.append(&mut checker.found);
    }
    for (file, raw) in files {
        let mut checker = Checker::new(file, sources);
        for entry in raw.policies.and_then(|policies| policies.value).unwrap_or_default() {
            compiler.add_policy(entry, &mut checker);
        }
        compiler.found.append(&mut checker.found);
    }
    compiler.check_number();
    found.append(&mut compiler.found);
    Policies::new(compiler.sources, options, compiler.origins, super::start_of(first))
}

/// How policies decide, as `lockgate.yaml` says it.
pub(super) fn check_settings(entry: Option<&PolicySettingsEntry>, checker: &mut Checker<'_>) -> Options {
    let mut options = Options::default();
    let Some(entry) = entry else { return options };
    if let Some(choice) = entry.row_filters.as_ref().and_then(|choice| choice.value) {
        options.row_filters = match choice {
            RowFiltersChoice::First => RowFilters::First,
            RowFiltersChoice::All => RowFilters::All,
        };
    }
    if let Some(zone) = &entry.time_zone {
        options.time_zone = validity::check_zone(zone, checker);
    }
    for (key, names) in [("super.users", &entry.super_users), ("super.groups", &entry.super_groups)] {
        let names = names.as_ref().map(|names| texts(names, "name", checker)).unwrap_or_default();
        if !names.is_empty() {
            options.plugin_config.insert(key.to_owned(), names);
        }
    }
    options
}

struct Compiler<'a> {
    files: &'a SourceFiles,
    sources: Sources,
    origins: BTreeMap<i64, PolicyOrigin>,
    /// The places of the names of YAML policies, roles and zones.
    declared: BTreeMap<(&'static str, String), Span>,
    found: Vec<Diagnostic>,
}

impl<'a> Compiler<'a> {
    fn new(files: &'a SourceFiles) -> Self {
        Self {
            files,
            sources: base::built_in(),
            origins: BTreeMap::new(),
            declared: BTreeMap::new(),
            found: Vec::new(),
        }
    }

    fn add_documents(&mut self, documents: Vec<DocumentFile>) {
        let mut first: BTreeMap<&'static str, FileId> = BTreeMap::new();
        for DocumentFile { file, document } in documents {
            let kind = base::kind_of(&document);
            if let Some(earlier) = first.get(kind) {
                let message = format!("`{}` is a second document of {kind}", quotable(self.files.path(file)));
                let diagnostic = Diagnostic::new(Code::DuplicateName, super::start_of(file), message)
                    .with_label(super::start_of(*earlier), "the first one")
                    .with_help("keep one of them, or put what they say into one document");
                self.found.push(diagnostic);
                continue;
            }
            first.insert(kind, file);
            let origins = base::origins_of(&document, file, self.files);
            if let Err(error) = self.sources.add(document) {
                self.refuse_document(file, &error.to_string());
            } else if !has_dataset_levels(&self.sources.policies.service_def) {
                self.refuse_document(file, "its service has no levels database, table and column");
            }
            self.origins.extend(origins);
        }
        base::add_unseal(&mut self.sources.policies);
    }

    fn refuse_document(&mut self, file: FileId, why: &str) {
        let message = format!("`{}` cannot be used: {why}", quotable(self.files.path(file)));
        let help = "datasets are governed by policies of a service like Hive: import what its plugin downloads";
        self.found.push(Diagnostic::new(Code::UnusablePolicyDocument, super::start_of(file), message).with_help(help));
    }

    /// Reports a name that was declared before; notes it otherwise.
    fn declare(&mut self, kind: &'static str, name: &str, span: Span) -> bool {
        let Some(first) = self.declared.insert((kind, name.to_owned()), span) else { return true };
        let message = format!("the {kind} `{}` is declared twice", quotable(name));
        let diagnostic = Diagnostic::new(Code::DuplicateName, span, message)
            .with_label(first, "first here")
            .with_help(format!("rename one of the two, or remove one {kind}"));
        self.found.push(diagnostic);
        false
    }

    fn add_people(&mut self, raw: &PoliciesFile, checker: &mut Checker<'_>) {
        for (name, entry) in entries(raw.roles.as_ref()) {
            self.add_role(name, entry, checker);
        }
        for (name, users) in entries(raw.groups.as_ref()) {
            let Some(group) = &name.value else { continue };
            if self.declare("group", group, checker.span(&name.range)) {
                let store = self.sources.user_store.get_or_insert_with(UserStore::default);
                for user in texts(users, "user", checker) {
                    let groups = store.user_group_mapping.entry(user).or_default();
                    if !groups.contains(group) {
                        groups.push(group.clone());
                    }
                }
            }
        }
        for (name, attributes) in entries(raw.users.as_ref()) {
            let Some(user) = &name.value else { continue };
            if !self.declare("user", user, checker.span(&name.range)) {
                continue;
            }
            let store = self.sources.user_store.get_or_insert_with(UserStore::default);
            let known = store.user_attr_mapping.entry(user.clone()).or_default();
            for (attribute, text) in entries(Some(attributes)) {
                if let (Some(attribute), Some(text)) = (&attribute.value, &text.value) {
                    known.insert(attribute.clone(), Text(text.clone()));
                }
            }
        }
    }

    fn add_role(&mut self, name: &Checked<String>, entry: &Checked<RoleEntry>, checker: &mut Checker<'_>) {
        let (Some(role), Some(entry)) = (&name.value, &entry.value) else { return };
        let known = self.sources.roles.ranger_roles.iter().any(|known| known.name == *role);
        if known && !self.declared.contains_key(&("role", role.clone())) {
            let message = format!("the role `{}` is in a document of Ranger as well", checker.quote(&name.range));
            let help = "remove it here, or there".to_owned();
            checker.report(Code::DuplicateName, &name.range, message, Some(help));
            return;
        }
        if !self.declare("role", role, checker.span(&name.range)) {
            return;
        }
        let mut members = |list: &Option<Texts>, kind| -> Vec<RoleMember> {
            let names = list.as_ref().map(|list| texts(list, kind, checker)).unwrap_or_default();
            names.iter().map(|name| RoleMember::named(name)).collect()
        };
        let (users, groups) = (members(&entry.users, "user"), members(&entry.groups, "group"));
        let roles = members(&entry.roles, "role");
        self.sources.roles.ranger_roles.push(Role { name: role.clone(), users, groups, roles });
    }

    fn add_zones(&mut self, raw: &PoliciesFile, checker: &mut Checker<'_>) {
        for (name, entry) in entries(raw.zones.as_ref()) {
            let (Some(zone), Some(ZoneEntry { datasets })) = (&name.value, &entry.value) else { continue };
            if self.sources.policies.security_zones.contains_key(zone)
                && !self.declared.contains_key(&("zone", zone.clone()))
            {
                let message = format!("the zone `{}` is in a document of Ranger as well", checker.quote(&name.range));
                let help = "give this one another name".to_owned();
                checker.report(Code::DuplicateName, &name.range, message, Some(help));
                continue;
            }
            if self.declare("zone", zone, checker.span(&name.range)) {
                let resources = resources::of_zone(datasets, checker);
                let zone_name = Some(zone.clone());
                let security_zone = SecurityZone { zone_name, resources, ..SecurityZone::default() };
                self.sources.policies.security_zones.insert(zone.clone(), security_zone);
            }
        }
    }

    /// Puts a compiled policy where it belongs, under a number of its own.
    fn put(&mut self, mut policy: Policy, origin: &PolicyOrigin, is_on_tags: bool) {
        let mut id = base::policy_id(&origin.name, policy.policy_type.unwrap_or_default());
        while self.origins.contains_key(&id) {
            id += 1;
        }
        self.origins.insert(id, origin.clone());
        policy.id = Some(id);
        policy.name.clone_from(&origin.name);
        let policies = &mut self.sources.policies;
        let zone = policy.zone_name.as_deref().and_then(|zone| policies.security_zones.get_mut(zone));
        if is_on_tags {
            if let Some(zone) = zone {
                zone.contains_associated_tag_service = true;
            }
            if let Some(tags) = &mut policies.tag_policies {
                policy.service.clone_from(&tags.service_name);
                tags.policies.push(policy);
            }
            return;
        }
        policy.service.clone_from(&policies.service_name);
        match zone {
            Some(zone) => zone.policies.push(policy),
            None => policies.policies.push(policy),
        }
    }

    fn check_number(&mut self) {
        let policies = &self.sources.policies;
        let of_zones: usize = policies.security_zones.values().map(|zone| zone.policies.len()).sum();
        let of_tags = policies.tag_policies.as_ref().map_or(0, |tags| tags.policies.len());
        let number = policies.policies.len() + of_zones + of_tags;
        let first = self.origins.values().map(|origin| origin.span).min();
        if let Some(span) = first.filter(|_| number > POLICIES_MAX) {
            let message = format!("the project has {number} policies, and at most {POLICIES_MAX} are read");
            let help = "split it into several projects".to_owned();
            self.found.push(Diagnostic::new(Code::ProjectLimit, span, message).with_help(help));
        }
    }
}

/// The entries of a mapping that is there.
fn entries<T>(mapping: Option<&Checked<Entries<T>>>) -> impl Iterator<Item = &(Checked<String>, Checked<T>)> {
    mapping.and_then(|mapping| mapping.value.as_ref()).into_iter().flat_map(|entries| &entries.0)
}

/// The texts of a list. An empty list, an empty text and one that is there twice are reported.
fn texts(list: &Texts, kind: &str, checker: &mut Checker<'_>) -> Vec<String> {
    let Some(values) = &list.value else { return Vec::new() };
    if values.is_empty() {
        let help = format!("name at least one {kind}, or remove the key");
        checker.report(Code::InvalidValue, &list.range, "the list is empty", Some(help));
    }
    let mut seen = BTreeSet::new();
    for value in values {
        let Some(text) = &value.value else { continue };
        if text.trim().is_empty() {
            let help = format!("write the name of a {kind}");
            checker.report(Code::InvalidValue, &value.range, format!("a {kind} without a name"), Some(help));
        } else if !seen.insert(text) {
            let message = format!("the {kind} `{}` is in the list twice", checker.quote(&value.range));
            checker.report(Code::InvalidValue, &value.range, message, Some("remove one of the two".to_owned()));
        }
    }
    values.iter().filter_map(|value| value.value.clone()).collect()
}
