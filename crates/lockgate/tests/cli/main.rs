//! The program as its users meet it: files in, tables, messages and exit codes out.

mod bad_input;
mod bucket;
mod cloud;
mod cloud_faults;
mod cloud_ledger;
mod commands;
mod compose;
mod daily_job;
mod doctor;
mod documents;
mod erase;
mod evidence;
mod files;
mod history;
mod init_from;
mod key_calls;
mod operations;
mod operations_aws;
mod parquet;
mod python;
mod quarantine;
mod recovery;
mod select;
mod storage_faults;
mod support;
