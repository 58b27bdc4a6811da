-- The roles and the database that tests and the cloud example expect.
create role writers nologin;
create role by_password login password 'planted-postgres-password' in role writers;
create role "svc-etl" login in role writers;
create role static_etl login password 'initial' in role writers;
alter role by_password set role = 'writers';
alter role "svc-etl" set role = 'writers';
alter role static_etl set role = 'writers';
create role vaultadmin login createrole password 'vaultpw';
grant writers to vaultadmin with admin option;
grant pg_signal_backend to vaultadmin;
create database warehouse;
\connect warehouse
revoke all on schema public from public;
create schema analytics authorization writers;
grant usage, create on schema public to writers;
