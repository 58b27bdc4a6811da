//! The engine: everything that decides about one service, prepared once, asked many times, replaced as a whole.
//!
//! ```text
//! ServicePolicies, ServiceTags, Roles, … ─► Engine ─► evaluate(request) ─► Decision
//!                                              └───── update(deltas) ─► Engine, sharing what did not change
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::audit::AuditRule;
use crate::dates::DateFormats;
use crate::facts::Surroundings;
use crate::gds::Gds;
use crate::geo::Geolocation;
use crate::index::Lookup;
use crate::model::{
    AuditFilter, EnricherDef, PolicyDelta, Roles, ServiceGdsInfo, ServicePolicies, ServiceTags, Text, UserStore,
};
use crate::names::{Names, Symbol};
use crate::repository::Repository;
use crate::roles::RoleTable;
use crate::service::{Service, tag_service_def};
use crate::tags::TagStore;
use crate::zones::ZoneMatcher;

/// What holds where Ranger would let through what it can't decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// What can't be decided gives nothing away: no access, no clear value, no row.
    #[default]
    Closed,
    /// Exactly as Ranger.
    Compat,
}

/// Which of several matching row filters counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RowFilters {
    /// The first, as in Ranger.
    #[default]
    First,
    /// All: a row must meet each of them.
    All,
}

/// How an engine is to decide.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What can't be decided.
    pub mode: Mode,
    /// Several filters.
    pub row_filters: RowFilters,
    /// The zone in which times without a zone are meant; UTC if absent.
    pub time_zone: Option<TimeZone>,
    /// Date formats that attributes of tags may have besides the usual ones, as Ranger's setting lists them.
    pub date_formats: String,
    /// The addresses of proxies whose word is taken for where a request comes from.
    pub trusted_proxies: Vec<String>,
    /// Whether that word is taken at all.
    pub uses_forwarded_addresses: bool,
    /// Whether a denial is left open, for a service that asks elsewhere then.
    pub has_fallback: bool,
    /// Settings of the plugin: `super.users`, `audit.exclude.users` and the like, without the part before them.
    pub plugin_config: BTreeMap<String, Vec<String>>,
}

impl Options {
    fn zone(&self) -> TimeZone {
        self.time_zone.clone().unwrap_or(TimeZone::UTC)
    }
}

/// What an engine decides by.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The policies.
    pub policies: ServicePolicies,
    /// The roles.
    pub roles: Roles,
    /// The tags of resources.
    pub tags: Option<ServiceTags>,
    /// What is known of users and groups.
    pub user_store: Option<UserStore>,
    /// What is shared.
    pub gds: Option<ServiceGdsInfo>,
    /// Tables of where addresses are.
    pub geolocations: Vec<Geolocation>,
}

/// Names in the settings of a service or plugin.
#[derive(Debug, Default)]
pub(crate) struct Named {
    pub(crate) users: Vec<Symbol>,
    pub(crate) groups: Vec<Symbol>,
    pub(crate) roles: Vec<Symbol>,
}

/// When accesses are audited that no policy covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuditMode {
    All,
    None,
    ByPolicy,
}

/// Everything that decides about one service.
#[derive(Debug)]
pub struct Engine {
    pub(crate) names: Names,
    pub(crate) service: Arc<Service>,
    pub(crate) repository: Arc<Repository>,
    pub(crate) zones: BTreeMap<String, Arc<Repository>>,
    pub(crate) zone_matcher: ZoneMatcher,
    pub(crate) tag_repository: Option<Arc<Repository>>,
    pub(crate) tags: Option<Arc<TagStore>>,
    pub(crate) gds: Option<Arc<Gds>>,
    pub(crate) roles: Arc<RoleTable>,
    pub(crate) surroundings: Arc<Surroundings>,
    pub(crate) options: Arc<Options>,
    pub(crate) super_users: Arc<Named>,
    pub(crate) unaudited: Arc<Named>,
    pub(crate) audit_mode: AuditMode,
    /// Whether conditions, scripts or variable parts of policies may look at the tags of a resource.
    pub(crate) reads_tags: bool,
    /// What the service definition wants looked up and nothing here does.
    pub(crate) missing: Arc<[String]>,
    audit_settings: Arc<[BTreeMap<String, Text>; 2]>,
}

impl Engine {
    /// Prepares everything.
    pub fn new(sources: &Sources, options: Options) -> Self {
        let policies = &sources.policies;
        let mut names = Names::default();
        let zone = options.zone();
        let mode = (options.mode, &zone);
        let service = Arc::new(Service::new(&policies.service_def));
        let conditions: Arc<[_]> = policies.service_def.policy_conditions.clone().into();
        let repository = |policies: &[_], names: &mut Names| {
            Repository::new(Arc::clone(&service), Arc::clone(&conditions), (policies, Lookup::Matches), mode, names)
        };
        let audit_settings = [
            policies.service_config.clone(),
            policies.tag_policies.as_ref().map(|tags| tags.service_config.clone()).unwrap_or_default(),
        ];
        let mut default = repository(&policies.policies, &mut names);
        default.audit = audit_rules(&audit_settings[0], &service, &mut names);
        let zones = policies.security_zones.iter();
        let zones: BTreeMap<_, _> =
            zones.map(|(name, zone)| (name.clone(), Arc::new(repository(&zone.policies, &mut names)))).collect();
        let tag_repository = tag_repository(sources, mode, &audit_settings[1], &mut names);
        let gds = sources.gds.as_ref().map(|info| Gds::new(info, &policies.service_def, &service, mode, &mut names));
        Self {
            reads_tags: gds.is_some() || reads_tags(&default, &zones, tag_repository.as_deref()),
            roles: Arc::new(RoleTable::new(&sources.roles, &mut names)),
            super_users: Arc::new(named("super", &policies.service_config, &options, &mut names)),
            unaudited: Arc::new(named("audit.exclude", &policies.service_config, &options, &mut names)),
            audit_mode: match policies.audit_mode.as_deref() {
                Some("audit-all") => AuditMode::All,
                Some("audit-none") => AuditMode::None,
                _ => AuditMode::ByPolicy,
            },
            zone_matcher: ZoneMatcher::new(&policies.security_zones, &service),
            tags: sources.tags.as_ref().map(|tags| Arc::new(TagStore::new(tags, &service, &zone))),
            missing: missing_enrichers(sources).into(),
            surroundings: Arc::new(surroundings(sources, &options)),
            repository: Arc::new(default),
            gds: gds.map(Arc::new),
            audit_settings: Arc::new(audit_settings),
            options: Arc::new(options),
            names,
            service,
            zones,
            tag_repository,
        }
    }

    /// The engine after changes: of policies outside of zones and on tags (`policy_deltas`), of zones, and of which
    /// resources zones have. What did not change is shared with this engine, which stays as it is.
    pub fn update(&self, changes: &ServicePolicies) -> Self {
        let zone = self.options.zone();
        let mode = (self.options.mode, &zone);
        let mut names = self.names.clone();
        let own = |delta: &&PolicyDelta| {
            let kind = delta.policy.as_ref().and_then(|policy| policy.service_type.as_deref());
            kind.is_none_or(|kind| kind == &*self.service.name)
        };
        let (default, of_tags): (Vec<_>, Vec<_>) = changes.policy_deltas.iter().partition(own);
        let [settings, tag_settings] = &*self.audit_settings;
        let mut repository = self.repository.changed(&default, mode, &mut names);
        repository.audit = audit_rules(settings, &self.service, &mut names);
        let of_tags: Vec<PolicyDelta> = of_tags.iter().filter_map(|delta| delta.seen_by(&self.service.name)).collect();
        let tag_repository = self.tag_repository.as_ref().map(|old| {
            let mut tags = old.changed(&of_tags.iter().collect::<Vec<_>>(), mode, &mut names);
            tags.audit = audit_rules(tag_settings, &tags.service, &mut names);
            Arc::new(tags)
        });
        let mut zones = if changes.security_zones.is_empty() { self.zones.clone() } else { BTreeMap::new() };
        for (name, zone) in &changes.security_zones {
            let deltas: Vec<&PolicyDelta> = zone.policy_deltas.iter().collect();
            let changed = match self.zones.get(name) {
                Some(old) if deltas.is_empty() => Arc::clone(old),
                Some(old) => Arc::new(old.changed(&deltas, mode, &mut names)),
                None => {
                    let (service, conditions) = (Arc::clone(&self.service), Arc::clone(&self.repository.conditions));
                    let policies = (zone.policies.as_slice(), Lookup::Matches);
                    let empty = Repository::new(service, conditions, policies, mode, &mut names);
                    Arc::new(empty.changed(&deltas, mode, &mut names))
                }
            };
            zones.insert(name.clone(), changed);
        }
        Self {
            reads_tags: self.gds.is_some() || reads_tags(&repository, &zones, tag_repository.as_deref()),
            repository: Arc::new(repository),
            tag_repository,
            zones,
            zone_matcher: ZoneMatcher::new(&changes.security_zones, &self.service),
            names,
            service: Arc::clone(&self.service),
            tags: self.tags.clone(),
            gds: self.gds.clone(),
            roles: Arc::clone(&self.roles),
            surroundings: Arc::clone(&self.surroundings),
            options: Arc::clone(&self.options),
            super_users: Arc::clone(&self.super_users),
            unaudited: Arc::clone(&self.unaudited),
            audit_mode: self.audit_mode,
            missing: Arc::clone(&self.missing),
            audit_settings: Arc::clone(&self.audit_settings),
        }
    }

    /// What policies have that can never be decided: conditions of unknown kinds, scripts that are refused.
    pub fn defects(&self) -> Vec<Defect> {
        let repositories = std::iter::once(&self.repository).chain(self.zones.values()).chain(&self.tag_repository);
        let policies = repositories.flat_map(|repository| repository.policies());
        let defects = policies.flat_map(|policy| {
            let (policy_id, policy_name) = (policy.id, policy.name.to_string());
            policy.defects().into_iter().map(move |what| Defect { policy_id, policy_name: policy_name.clone(), what })
        });
        defects.collect()
    }

    /// What the service definition wants looked up for each request and nothing here does.
    pub fn missing_enrichers(&self) -> &[String] {
        &self.missing
    }
}

/// What a policy has that can never be decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defect {
    /// The policy.
    pub policy_id: i64,
    /// Its name.
    pub policy_name: String,
    /// What it is.
    pub what: String,
}

fn surroundings(sources: &Sources, options: &Options) -> Surroundings {
    Surroundings {
        mode: options.mode,
        time_zone: options.zone(),
        date_formats: DateFormats::with_additional(&options.date_formats),
        trusted_proxies: options.trusted_proxies.clone(),
        uses_forwarded_addresses: options.uses_forwarded_addresses,
        geolocations: sources.geolocations.clone(),
        user_store: sources.user_store.clone(),
    }
}

fn tag_repository(
    sources: &Sources,
    mode: (Mode, &TimeZone),
    settings: &BTreeMap<String, Text>,
    names: &mut Names,
) -> Option<Arc<Repository>> {
    let policies = sources.policies.tag_policies.as_ref()?;
    let component = &sources.policies.service_def.name;
    let def = tag_service_def(&policies.service_def, component);
    let service = Arc::new(Service::new(&def));
    let seen: Vec<_> = policies.policies.iter().filter_map(|policy| policy.seen_by(component)).collect();
    let seen = (seen.as_slice(), Lookup::Beginnings);
    let mut repository = Repository::new(Arc::clone(&service), def.policy_conditions.into(), seen, mode, names);
    repository.audit = audit_rules(settings, &service, names);
    Some(Arc::new(repository))
}

/// The names that settings have for users, groups and roles: `ranger.plugin.super.users=a,b`, and those of the plugin.
fn named(kind: &str, config: &BTreeMap<String, Text>, options: &Options, names: &mut Names) -> Named {
    let mut list = |who: &str| {
        let of_service = config.get(&format!("ranger.plugin.{kind}.{who}")).map_or("", Text::as_str);
        let of_plugin = options.plugin_config.get(&format!("{kind}.{who}")).into_iter().flatten();
        let all = of_service.split(',').chain(of_plugin.map(String::as_str)).map(str::trim);
        let mut symbols: Vec<_> = all.filter(|name| !name.is_empty()).map(|name| names.intern(name)).collect();
        symbols.sort_unstable();
        symbols
    };
    Named { users: list("users"), groups: list("groups"), roles: list("roles") }
}

fn audit_rules(config: &BTreeMap<String, Text>, service: &Service, names: &mut Names) -> Vec<AuditRule> {
    let text = config.get("ranger.plugin.audit.filters").map_or("", Text::as_str);
    let filters: Vec<AuditFilter> = crate::json::read(text).unwrap_or_default();
    filters.iter().map(|filter| AuditRule::new(filter, service, names)).collect()
}

/// Whether conditions, scripts or variable parts of policies, or rules about auditing, may look at tags.
fn reads_tags(default: &Repository, zones: &BTreeMap<String, Arc<Repository>>, tags: Option<&Repository>) -> bool {
    let reads = |of: &Repository| !of.audit.is_empty() || of.policies().iter().any(|policy| policy.is_conditional());
    reads(default) || zones.values().any(|zone| reads(zone)) || tags.is_some_and(reads)
}

fn missing_enrichers(sources: &Sources) -> Vec<String> {
    let policies = &sources.policies;
    let of_tags = policies.tag_policies.iter().flat_map(|tags| &tags.service_def.context_enrichers);
    let is_missing = |def: &&EnricherDef| match def.enricher.rsplit('.').next() {
        Some("RangerTagEnricher") => sources.tags.is_none(),
        Some("RangerUserStoreEnricher") => sources.user_store.is_none(),
        Some("RangerGdsEnricher") => sources.gds.is_none(),
        Some("RangerFileBasedGeolocationProvider") => sources.geolocations.is_empty(),
        _ => true,
    };
    let all = policies.service_def.context_enrichers.iter().chain(of_tags);
    all.filter(is_missing).map(|def| def.name.clone()).collect()
}
