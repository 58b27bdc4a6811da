//! Every problem that Lockgate reports has a code that never changes its meaning.
//!
//! LG001 to LG099 are about the files of a project, LG101 to LG199 about SQL, LG201 to LG299 about classification and
//! protection, LG301 to LG399 about keys and algorithms, LG401 to LG499 about policies. `docs/codes.md` has a section with an example for each.

use std::fmt;

use crate::Severity;

macro_rules! codes {
    ($($text:ident $code:ident $severity:ident $title:literal $explanation:literal)*) => {
        /// What kind of problem a diagnostic reports.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $title] $code,)*
        }

        impl Code {
            /// Every code, in the order of their texts.
            pub const ALL: &'static [Self] = &[$(Self::$code),*];

            /// The stable text, such as `LG012`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$code => stringify!($text),)* }
            }

            /// How grave it is: a warning lets the command go on, an error does not.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$code => Severity::$severity,)* }
            }

            /// A few words, as in the heading of its section in `docs/codes.md`.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$code => $title,)* }
            }

            /// One sentence: what is the case and, where it is not plain, why it matters.
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$code => $explanation,)* }
            }
        }
    };
}

codes! {
    LG001 UnreadableFile Error "A file cannot be read"
        "A file that the project needs is missing or cannot be opened."
    LG002 FileTooLarge Error "File too large"
        "A file of a project is at most 1 MiB, so that reading one cannot exhaust memory."
    LG003 NotUtf8 Error "File is not UTF-8"
        "Files of a project are text in UTF-8."
    LG004 YamlSyntax Error "Not valid YAML"
        "The file cannot be parsed as YAML 1.2."
    LG005 UnsupportedYaml Error "YAML feature not used here"
        "Anchors, aliases, tags, merge keys and several documents in a file are refused, so that a file says what \
        it says in one place."
    LG006 YamlLimit Error "File too deep or too full"
        "A file nests at most 32 levels and holds at most 100,000 values, and what `${env:NAME}` expands to is at \
        most 1 MiB in a file."
    LG007 DuplicateKey Error "Key given twice"
        "A key may stand once in a mapping; otherwise one of two values would be ignored silently."
    LG008 WrongType Error "Value of the wrong type"
        "A value is of another type than its key takes, or is missing after the key."
    LG009 MissingKey Error "Missing key"
        "A key that the file must have is not there."
    LG010 InvalidValue Error "Value not allowed"
        "A value is of the right type but not one that its key takes."
    LG011 UnsetVariable Error "Environment variable not set"
        "A `${env:NAME}` names a variable that is not set, or is not closed."
    LG012 UnknownKey Error "Unknown key"
        "A key is not one that this version reads; ignoring it could ignore a protection."
    LG013 UnsupportedVersion Error "Version of the project format not supported"
        "This version reads projects of format version 1."
    LG014 UnknownLevel Error "Unknown level"
        "A level is named that the project's `levels` do not have."
    LG015 InvalidLevels Error "Levels do not form an order"
        "The levels of a project are 1 to 32 different names, least restricted first."
    LG016 UnknownTag Error "Unknown tag"
        "A tag is used that neither this version nor the project's `tags` gives a level, so nothing would follow \
        from it."
    LG017 UnknownStore Error "Unknown store"
        "A store is named that the project's `stores` do not have."
    LG018 UnsupportedStore Error "Store not supported"
        "A store is at a place that this version cannot reach; it has `file://`, `s3://`, `sqlite://` and `postgresql://`."
    LG019 StoreDoesNotFit Error "Store of the wrong kind"
        "A dataset of the catalog is files in a store of files, or a table in a store at `postgresql://`."
    LG020 UnsupportedKeyService Error "Key service not supported"
        "A key-encryption key is in one service: local keys, AWS KMS or Vault transit."
    LG021 SecretNotAReference Error "Secret written into a file"
        "A secret is a reference to where it is kept, never the secret itself."
    LG022 UnknownColumn Error "Unknown column"
        "A column is named that the dataset does not have."
    LG023 DuplicateName Error "Name used twice"
        "A dataset or pipeline is declared twice, or a pipeline writes a dataset that the catalog reads or \
        another pipeline writes."
    LG024 LevelBelowTag Error "Level below what a tag demands"
        "A column's level is lower than the least level of one of its tags."
    LG025 NoLevel Error "Column without a level"
        "Nothing gives a column a level: neither itself, nor its dataset, nor its tags, nor a default level."
    LG026 InvalidPath Error "Path not allowed"
        "A path is relative, stays inside its store, and names its parameters in braces."
    LG027 MergeKey Error "Key of a merge missing or out of place"
        "`mode: merge` needs the columns by which rows are recognised, and no other mode takes them."
    LG029 UnknownFile Warning "File is not read"
        "A file lies where only YAML files are read."
    LG030 MissingParameter Error "Parameter missing"
        "A dataset's path needs a parameter that nothing gives a value."
    LG031 UnknownParameter Error "Unknown parameter"
        "A parameter is given or used that the pipeline does not declare."
    LG032 InvalidParameter Error "Value of a parameter not allowed"
        "A parameter's value is not of its type, or cannot stand in a path."
    LG033 Cycle Error "Pipelines wait for one another"
        "Pipelines read each other's outputs in a circle, so none can be first."
    LG034 ProjectLimit Error "Project too large"
        "A project has at most 2,000 files, and a dataset at most 2,000 columns."
    LG035 ShadowedRule Warning "Rule of `protect` never applies"
        "An earlier rule matches everything that this one matches, and the first match wins."
    LG036 UnusablePolicyDocument Error "Document of policies not usable"
        "A JSON file in `policies` is no document of Ranger, or is of a service that has no databases, tables and columns."

    LG101 SqlSyntax Error "SQL cannot be parsed"
        "The SQL of a pipeline or query is not valid."
    LG102 UnknownTable Error "Unknown table"
        "The SQL reads a table that is neither in the catalog nor the output of a pipeline."
    LG103 UnknownSqlColumn Error "Unknown column in SQL"
        "The SQL names a column that none of its tables has."
    LG104 UngovernedStatement Error "Statement not governed"
        "The SQL contains a statement or clause for which there is no rule of classification and provenance, so \
        it is refused rather than passed through."
    LG105 UngovernedExpression Error "Function or expression not governed"
        "The SQL uses a function or expression that is not on the list of those whose effect on classification is \
        known."
    LG106 SqlType Error "Types do not fit in SQL"
        "An operator or function is applied to values of types that it does not take."
    LG107 AmbiguousName Error "Ambiguous name in SQL"
        "A column's name fits several tables of the query."
    LG108 SqlLimit Error "SQL too deep or too wide"
        "The SQL is longer, nested deeper or wider than the limits of the compiler."
    LG111 NotIncremental Error "Rows cannot be appended"
        "`mode: append` reads only what is new, which is right only where each row is made from one source row and \
        depends on no other; a join, an aggregate, DISTINCT, a window, ORDER BY with LIMIT or a subquery is not."
    LG112 NoPolicies Error "Nobody may query"
        "A project without policies answers no query: what nobody allowed is not shown."
    LG113 PolicyNotEvaluable Error "Policy cannot be evaluated"
        "The SQL of a row filter or of a mask does not fit the dataset that it is about; until it is mended, nothing \
        of the dataset is shown."
    LG114 NothingVisible Error "Pipeline may not read a dataset"
        "The policies let the principal that a pipeline runs as see nothing of a dataset that its SQL names."

    LG201 NoRuleForLevel Error "No rule protects a column"
        "A column's level is above the sink's clearance and no rule of `protect` matches it."
    LG202 SubjectDropped Error "Sealed value loses its subject"
        "A value is sealed and bound to the row's subject, but the pipeline drops the subject's column, so it \
        could never be opened."
    LG203 ProtectionDoesNotFit Error "Protection does not fit the column"
        "The protection that a rule names cannot be applied to values of the column's type."
    LG204 KeyColumnNotStable Error "Merge key is not stable"
        "A column of the merge key would be sealed, masked or dropped, so that rows would not be recognised \
        again."
    LG205 FilterAboveClearance Warning "Rows selected by a column above the clearance"
        "Which rows are in the output tells something of a column that the sink may not receive."
    LG206 OutputColumns Error "Output columns not usable"
        "Two output columns have one name, or a name that is not allowed."
    LG207 ProtectedUse Error "Expression over a protected value"
        "An expression computes with a value that arrives sealed, tokenized or masked, so its result would have \
        no meaning."
    LG208 PlaceBelowDemand Error "Place does not meet what a level demands"
        "A store holds values of a level that demands a customer-managed key or mutual TLS, and is not set up for it."

    LG301 AlgorithmForbidden Error "Algorithm forbidden"
        "An algorithm or key size is disallowed at this date by the rule table."
    LG302 KeyNotUsable Error "Key not usable"
        "A key that the project needs cannot be opened, or is in a state that forbids its use."
    LG303 KeyStoreMissing Error "Key store missing"
        "The place where the project's keys should lie does not exist."

    LG401 UndecidablePolicy Error "Policy cannot be decided"
        "A policy has a condition, expression or schedule that nothing here can evaluate, so what it allows is not allowed."
    LG402 PolicyNeverFits Warning "Policy or item never fits"
        "No request can fit the policy or one of its items, whatever the project holds."
    LG403 PolicyShadowed Warning "Policy or item decides nothing"
        "An earlier item, a denial or an equal policy already decides for everybody whom this one names."
    LG404 PolicyNamesUnknown Error "Policy names what is not there"
        "A policy is on a dataset, column or tag that the project does not have, so it protects or allows nothing there; or \
        it names a role or group that no file declares, where files declare some."
    LG405 RestrictedToAnybody Error "Anybody may read a column of the highest level"
        "Policies let anybody read a column of the highest level in the clear."
    LG406 PolicyExpires Warning "Policy expires soon"
        "A policy ends within 30 days, or has ended."
    LG407 PolicyContradictsTag Warning "Policy contradicts a policy on a tag"
        "A policy allows or unmasks what a policy on one of the column's tags denies or masks for the same principal, and \
        the one on the tag decides."
    LG408 ColumnsNotCompared Warning "Columns not compared with the policies"
        "The project has too many columns and principals for all to be asked for, so LG405 and LG407 may be missing."
}

impl Code {
    /// Where its section is, such as `docs/codes.md#lg012`, relative to the root of Lockgate's repository.
    pub fn help_uri(self) -> String {
        format!("docs/codes.md#{}", self.as_str().to_ascii_lowercase())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_distinct_ordered_and_of_one_form() {
        let texts: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert!(texts.windows(2).all(|pair| pair[0] < pair[1]), "{texts:?}");
        for code in Code::ALL {
            assert!(code.as_str().len() == 5 && code.as_str()[2..].bytes().all(|b| b.is_ascii_digit()), "{code}");
            assert!(code.explanation().ends_with('.') && !code.title().ends_with('.'), "{code}");
        }
        assert_eq!(Code::UnknownKey.help_uri(), "docs/codes.md#lg012");
    }
}
