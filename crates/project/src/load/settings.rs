//! `lockgate.yaml` becomes levels, tags, stores, keys and rules that refer to one another and to nothing else.
//!
//! A part that is wrong is reported and left out; what refers to it is then not reported as well.

mod places;
mod services;

pub(super) use places::check_secret;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use lockgate_model::{
    BUILT_IN_TAGS, DatasetName, LEVELS_MAX, Lattice, LatticeError, Level, LevelRules, PipelineName, ProjectName,
    StoreName, TagName,
};

use lockgate_policy::Options;

use super::{Checker, is_word, policies};
use crate::raw::{IdentityChoice, LevelEntry, ProjectFile, ProtectEntry};
use crate::yaml::{Checked, Entries};
use crate::{
    AwsSettings, Code, Dataset, Identity, KeyServices, LedgerConfig, LedgerLocation, LineageSettings, OAuthClient,
    Pipeline, Policies, Project, ProtectRule, RuleMatch, SourceFiles, Store, TlsSettings, VaultSettings, View, suggest,
};

/// The level of a column that nothing gives one, where the project has it.
const DEFAULT_LEVEL: &str = "internal";

/// The only version of the format.
const VERSION: u32 = 1;

/// What `lockgate.yaml` says, as far as it could be read.
pub(super) struct Settings {
    name: Option<ProjectName>,
    /// The project's folder.
    pub(super) root: PathBuf,
    /// Absent if `levels` is wrong: then no level is looked up.
    pub(super) lattice: Option<Lattice>,
    pub(super) default_level: Option<Level>,
    pub(super) tags: BTreeMap<TagName, Level>,
    /// The names under `tags`, those included whose level is wrong.
    declared_tags: BTreeSet<String>,
    pub(super) stores: BTreeMap<StoreName, Store>,
    /// The names under `stores`, wrong ones included.
    declared_stores: Option<BTreeSet<String>>,
    keys: Option<KeyServices>,
    tls: Option<TlsSettings>,
    vault: Option<Option<VaultSettings>>,
    oauth: BTreeMap<String, OAuthClient>,
    aws: Option<AwsSettings>,
    ledger: Option<LedgerConfig>,
    lineage: Option<LineageSettings>,
    protect: Vec<ProtectRule>,
    /// How policies decide.
    pub(super) policy_options: Options,
    identity: Identity,
}

impl Settings {
    /// Checks the file; what is wrong is reported.
    pub(super) fn check(raw: ProjectFile, root: &Path, checker: &mut Checker<'_>) -> Self {
        if let Some(version) = raw.version.value.filter(|version| *version != VERSION) {
            let message = format!("the version of the project format is {version}, and this program reads {VERSION}");
            let help = format!("write `version: {VERSION}`, or use a newer program");
            checker.report(Code::UnsupportedVersion, &raw.version.range, message, Some(help));
        }
        let lattice = match raw.levels {
            None => Some(Lattice::default()),
            Some(levels) => check_levels(levels, checker),
        };
        let has_vault = raw.vault.is_some();
        let (oauth, clients) = services::check_oauth(raw.oauth, root, checker);
        let mut settings = Self {
            name: raw.project.value,
            root: root.to_path_buf(),
            default_level: lattice.as_ref().and_then(|lattice| lattice.level(DEFAULT_LEVEL)),
            lattice,
            tags: BTreeMap::new(),
            declared_tags: BTreeSet::new(),
            stores: BTreeMap::new(),
            declared_stores: None,
            keys: places::check_keys(raw.keys, root, raw.vault.is_some(), checker),
            tls: raw.tls.map_or_else(|| Some(TlsSettings::default()), |tls| services::check_tls(&tls, root, checker)),
            vault: raw
                .vault
                .map(|vault| services::check_vault(vault, root, &clients, checker))
                .map_or(Some(None), |checked| checked.map(Some)),
            oauth,
            aws: services::check_aws(raw.aws, &clients, checker),
            ledger: places::check_ledger(raw.ledger, root, checker),
            lineage: raw.lineage.and_then(|lineage| places::check_lineage(lineage, root, &clients, checker)),
            protect: Vec::new(),
            policy_options: policies::check_settings(
                raw.policy.as_ref().and_then(|entry| entry.value.as_ref()),
                checker,
            ),
            identity: match raw.identity.and_then(|identity| identity.value) {
                None | Some(IdentityChoice::Local) => Identity::Local,
                Some(IdentityChoice::None) => Identity::None,
            },
        };
        if let Some(level) = &raw.default_level {
            settings.default_level = settings.level(level, checker);
        }
        settings.check_tags(raw.tags, checker);
        if let Some(stores) = raw.stores.value {
            settings.declared_stores = Some(stores.0.iter().filter_map(|(name, _)| name.value.clone()).collect());
            for (name, store) in stores.0 {
                if let Some(store) = places::check_store(name, store, root, &settings, has_vault, checker) {
                    settings.stores.insert(store.name.clone(), store);
                }
            }
        }
        let rules = raw.protect.and_then(|rules| rules.value).unwrap_or_default();
        for (index, rule) in rules.into_iter().enumerate() {
            settings.check_rule(index, rule, checker);
        }
        settings
    }

    /// Whether the ledger lies where there are no files to be changed in place.
    pub(super) fn ledger_is_in_a_bucket(&self) -> bool {
        self.ledger.as_ref().is_some_and(|ledger| matches!(ledger.at, LedgerLocation::Bucket(_)))
    }

    /// The level of that name; an unknown one is reported.
    pub(super) fn level(&self, name: &Checked<String>, checker: &mut Checker<'_>) -> Option<Level> {
        let lattice = self.lattice.as_ref()?;
        let text = name.value.as_ref()?;
        let level = lattice.level(text);
        if level.is_none() {
            let message = format!("there is no level `{}`", checker.quote(&name.range));
            let help = suggest::help(text, "the levels are", lattice.names());
            checker.report(Code::UnknownLevel, &name.range, message, help);
        }
        level
    }

    /// The name of a level; `?` if the levels are wrong.
    pub(super) fn level_name(&self, level: Level) -> &str {
        self.lattice.as_ref().map_or("?", |lattice| lattice.name(level))
    }

    /// The tag of that name with its least level; one that nothing gives a level is reported.
    pub(super) fn tag(&self, name: &Checked<String>, checker: &mut Checker<'_>) -> Option<(TagName, Level)> {
        let lattice = self.lattice.as_ref()?;
        let text = name.value.as_ref()?;
        if let Some((tag, level)) = self.tags.get_key_value(text.as_str()) {
            return Some((tag.clone(), *level));
        }
        if self.declared_tags.contains(text) {
            return None;
        }
        let shown = checker.quote(&name.range);
        if let Some((_, level)) = BUILT_IN_TAGS.iter().find(|(tag, _)| tag == text) {
            let message = format!("the tag `{shown}` implies the level `{level}`, which this project does not have");
            let help = format!("give it one of {lattice}: `tags: {{ {text}: LEVEL }}` in `lockgate.yaml`");
            checker.report(Code::UnknownTag, &name.range, message, Some(help));
            return None;
        }
        let help = match suggest::nearest(text, self.tags.keys().map(TagName::as_str)) {
            Some(near) => {
                format!("did you mean `{near}`? A new tag is declared in `lockgate.yaml`: `tags: {{ TAG: LEVEL }}`")
            }
            None => "declare it in `lockgate.yaml`: `tags: { TAG: LEVEL }`".to_owned(),
        };
        checker.report(Code::UnknownTag, &name.range, format!("nothing gives the tag `{shown}` a level"), Some(help));
        None
    }

    /// The store of that name; one that is not declared is reported.
    pub(super) fn store(&self, name: &Checked<String>, checker: &mut Checker<'_>) -> Option<&Store> {
        let text = name.value.as_ref()?;
        let declared = self.declared_stores.as_ref()?;
        if !declared.contains(text) {
            let message = format!("there is no store `{}`", checker.quote(&name.range));
            let help = suggest::help(text, "the stores are", declared.iter().map(String::as_str));
            let none = || "declare it in `lockgate.yaml` under `stores`".to_owned();
            checker.report(Code::UnknownStore, &name.range, message, Some(help.unwrap_or_else(none)));
        }
        self.stores.get(text.as_str())
    }

    /// The project, if every part of the file was read.
    pub(super) fn into_project(
        self,
        root: &Path,
        datasets: BTreeMap<DatasetName, Dataset>,
        pipelines: BTreeMap<PipelineName, Pipeline>,
        views: BTreeMap<DatasetName, View>,
        policies: Policies,
    ) -> Option<Project> {
        Some(Project {
            name: self.name?,
            root: root.to_path_buf(),
            sources: SourceFiles::new(),
            lattice: self.lattice?,
            default_level: self.default_level,
            stores: self.stores,
            keys: self.keys?,
            tls: self.tls?,
            vault: self.vault?,
            oauth: self.oauth,
            aws: self.aws?,
            ledger: self.ledger?,
            lineage: self.lineage,
            tags: self.tags,
            protect: self.protect,
            datasets,
            pipelines,
            views,
            policies,
            identity: self.identity,
        })
    }

    fn check_tags(&mut self, tags: Option<Checked<Entries<String>>>, checker: &mut Checker<'_>) {
        if let Some(lattice) = &self.lattice {
            let known =
                BUILT_IN_TAGS.iter().filter_map(|(tag, level)| Some((tag.parse().ok()?, lattice.level(level)?)));
            self.tags = known.collect();
        }
        for (name, level) in tags.and_then(|tags| tags.value).map(|entries| entries.0).unwrap_or_default() {
            let Some(text) = &name.value else { continue };
            self.declared_tags.insert(text.clone());
            match text.parse::<TagName>() {
                Ok(tag) => {
                    // A built-in tag whose new level is wrong has no level, rather than its old one.
                    self.tags.remove(&tag);
                    if let Some(level) = self.level(&level, checker) {
                        self.tags.insert(tag, level);
                    }
                }
                Err(error) => checker.report(Code::InvalidValue, &name.range, error.to_string(), None),
            }
        }
    }

    fn check_rule(&mut self, index: usize, rule: Checked<ProtectEntry>, checker: &mut Checker<'_>) {
        let Checked { range, value: Some(entry) } = rule else { return };
        let protection = places::check_protection(&entry.with, checker);
        let tag = entry.tag.as_ref().map(|tag| self.tag(tag, checker).map(|(tag, _)| tag));
        let level = entry.level.as_ref().map(|level| self.level(level, checker));
        let matches = match (tag, level) {
            (None, None) => {
                let message = format!("`protect[{index}]` says neither `tag` nor `level`");
                let help = "say which columns it is for: `tag: TAG`, `level: LEVEL`, or both".to_owned();
                checker.report(Code::MissingKey, &range, message, Some(help));
                None
            }
            (Some(tag), None) => tag.map(RuleMatch::Tag),
            (None, Some(level)) => level.map(RuleMatch::Level),
            (Some(tag), Some(level)) => tag.zip(level).map(|(tag, level)| RuleMatch::Both { tag, level }),
        };
        let (Some(matches), Some(protection), Some(lattice)) = (matches, protection, &self.lattice) else { return };
        let what = match &matches {
            RuleMatch::Tag(tag) => format!("tag {tag}"),
            RuleMatch::Level(level) => format!("level {}", lattice.name(*level)),
            RuleMatch::Both { tag, level } => format!("tag {tag} and level {}", lattice.name(*level)),
        };
        let span = checker.span(&range);
        if let Some(earlier) = self.protect.iter().find(|earlier| includes(&earlier.matches, &matches)) {
            let message = format!("`protect[{index}]` never applies: `{}` matches all of it before", earlier.text);
            let diagnostic = crate::Diagnostic::new(Code::ShadowedRule, span, message)
                .with_label(earlier.span, "this rule comes first")
                .with_help("remove it, or move it before the other");
            checker.found.push(diagnostic);
        }
        self.protect.push(ProtectRule { matches, protection, span, text: format!("protect[{index}]: {what}") });
    }
}

/// Whether a rule for `wide` leaves nothing to one for `narrow`.
fn includes(wide: &RuleMatch, narrow: &RuleMatch) -> bool {
    match (wide, narrow) {
        (RuleMatch::Tag(a), RuleMatch::Tag(b) | RuleMatch::Both { tag: b, .. }) => a == b,
        (RuleMatch::Level(a), RuleMatch::Level(b) | RuleMatch::Both { level: b, .. }) => a == b,
        (RuleMatch::Both { .. }, RuleMatch::Both { .. }) => wide == narrow,
        (RuleMatch::Tag(_), RuleMatch::Level(_))
        | (RuleMatch::Level(_), RuleMatch::Tag(_))
        | (RuleMatch::Both { .. }, RuleMatch::Tag(_) | RuleMatch::Level(_)) => false,
    }
}

fn check_levels(levels: Checked<Entries<LevelEntry>>, checker: &mut Checker<'_>) -> Option<Lattice> {
    let mut named: Vec<(String, LevelRules)> = Vec::new();
    let mut sound = true;
    for (name, entry) in levels.value?.0 {
        let text = name.value.unwrap_or_default();
        if !is_word(&text.replace('-', "_")) {
            let message = format!("`{}` is no name of a level", checker.quote(&name.range));
            let help = "it takes 1 to 128 ASCII letters, digits, `_` and `-`, and begins with a letter or `_`";
            checker.report(Code::InvalidLevels, &name.range, message, Some(help.to_owned()));
            sound = false;
        }
        let rules = entry.value.map(|entry| level_rules(&entry, checker));
        sound &= rules.is_some();
        named.push((text, rules.unwrap_or_default()));
    }
    match Lattice::new(named) {
        Ok(lattice) => sound.then_some(lattice),
        Err(error) => {
            report_levels(&error, &levels.range, checker);
            None
        }
    }
}

fn report_levels(error: &LatticeError, range: &Range<usize>, checker: &mut Checker<'_>) {
    let help = match error {
        LatticeError::Empty => "name at least one level, or remove `levels` for the default ones".to_owned(),
        LatticeError::TooMany(_) => format!("keep {LEVELS_MAX} or fewer"),
        LatticeError::Twice(_) => "remove one of the two".to_owned(),
    };
    checker.report(Code::InvalidLevels, range, error.to_string(), Some(help));
}

fn level_rules(entry: &LevelEntry, checker: &mut Checker<'_>) -> LevelRules {
    let rotate_days = entry.rotate_days.as_ref();
    if let Some(days) = rotate_days.filter(|days| days.value == Some(0)) {
        let help = "write 1 or more, or remove the key for a key that is never rotated by itself".to_owned();
        checker.report(Code::InvalidValue, &days.range, "`rotate_days` is 0", Some(help));
    }
    LevelRules {
        transport: entry.transport.as_ref().and_then(|transport| transport.value),
        sealed_at_rest: entry.at_rest.is_some(),
        customer_managed_key: entry.key.is_some(),
        rotate_days: rotate_days.and_then(|days| days.value),
    }
}
