//! The program as its users meet it: files in, tables, messages and exit codes out.

mod bad_input;
mod cloud;
mod cloud_faults;
mod commands;
mod daily_job;
mod doctor;
mod documents;
mod erase;
mod evidence;
mod files;
mod history;
mod init_from;
mod parquet;
mod policy;
mod python;
mod quarantine;
mod recovery;
mod select;
mod storage_faults;
mod support;
