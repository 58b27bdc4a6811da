"""Times Lockgate beside its peers on the same file, in turn: rows a second, processor time, peak memory.

Called by `cargo xtask bench`: bench.py files PROGRAM FOLDER REPEATS ROWS...
                               bench.py postgres PROGRAM FOLDER REPEATS SERVICES ROWS...
"""

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time

FIRST = "Ada Grace Linus Alan Barbara Donald Edsger Frances Jürgen Søren María Zoë".split()
LAST = "Lovelace Hopper Torvalds Turing Liskov Knuth Dijkstra Allen Habermas García".split()
CITIES = "London Paris Berlin Lisbon Malmö Ulm Oslo".split()
# Sealing by subject is measured on files up to this size: its cost is one of each new subject.
ERASABLE_ROWS_MAX = 1_000_000
HEADER = "id,name,email,phone,city,amount,signup,notes"

SETTINGS = """\
version: 1
project: bench
%sstores:
%skeys: { default: { local: ./.lockgate/keys } }
ledger: { at: "file://./.lockgate/ledger" }
protect:
  - { tag: pii.name, with: seal }
  - { tag: pii.email, with: "token(domain: email)" }
  - { tag: pii.phone, with: "token(domain: phone)" }
"""

FILE_STORES = """\
  landing: { at: "file://./landing" }
  sqlite: { at: "sqlite://./out.db", clearance: internal }
  parquet: { at: "file://./out", clearance: internal }
"""

SERVICES = """\
tls: { ca: "%(pki)s/ca.pem", certificate: "%(pki)s/svc-etl.crt", key: "file:%(pki)s/svc-etl.key" }
aws: { region: us-east-1 }
"""

SERVICE_STORES = """\
  landing: { at: "file://./landing" }
  bucket: { at: "s3://landing/bench", endpoint: "%(endpoint)s", sse: { kms_key: "%(kms_key)s" } }
  postgresql: { at: "postgresql://localhost:%(port)s/warehouse", user: by_password, secret: "env:PGPASSWORD", clearance: internal }
"""

CATALOG = """\
dataset: customers
at: { store: %s, path: "%s", format: csv }
subject: id
%scolumns:
  id: { type: bigint }
  name: { type: text%s }
  email: { type: text%s }
  phone: { type: text%s }
  city: { type: text }
  amount: { type: "decimal(12, 2)" }
  signup: { type: date }
  notes: { type: text }
"""

PIPELINE = """\
pipeline: load
sql: SELECT id, name, email, phone, city, amount, signup, notes FROM customers
into: { dataset: %s, store: %s }
runs_as: bench
"""

ARROW = """
import sys
import pyarrow as pa, pyarrow.csv as csv, pyarrow.parquet as pq
types = {"id": pa.int64(), "amount": pa.decimal128(12, 2), "signup": pa.date32(), "phone": pa.string()}
reader = csv.open_csv(sys.argv[1], convert_options=csv.ConvertOptions(column_types=types))
with pq.ParquetWriter(sys.argv[2], reader.schema, compression="zstd") as writer:
    for batch in reader:
        writer.write_batch(batch)
"""


def write_rows(path, rows):
    chance = random.Random(7)
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(HEADER + "\n")
        for row in range(rows):
            first, last = chance.choice(FIRST), chance.choice(LAST)
            notes = '"said ""hello"", twice"' if row % 50 == 0 else "regular customer since spring"
            file.write(
                f"{row},{first} {last},{first.lower()}.{last.lower()}{row}@example.com,"
                f"+4930{chance.randrange(10**7, 10**8)},{chance.choice(CITIES)},{chance.randrange(10**6) / 100:.2f},"
                f"20{chance.randrange(10, 26)}-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02},{notes}\n"
            )


def measured(command, folder):
    """Wall time and processor time in seconds, peak memory in MiB."""
    began = time.monotonic()
    with open(os.path.join(folder, "said"), "w") as said:
        child = subprocess.Popen(command, cwd=folder, stdout=said, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(child.pid, 0)
    wall = time.monotonic() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{command} ended with {child.returncode}: {open(os.path.join(folder, 'said')).read()}")
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def write_project(folder, settings, source, protected, into, erasable=False):
    """A project that loads `source`, a store and a path in it, into a dataset of a store."""
    for name in ("landing", "catalog", "pipelines"):
        os.makedirs(os.path.join(folder, name))
    tags = [f", tags: [{tag}]" if protected else "" for tag in ("pii.name", "pii.email", "pii.phone")]
    erase = "erase_by: subject\n" if erasable else ""
    for name, content in (
        ("lockgate.yaml", SETTINGS % settings),
        ("catalog/customers.yaml", CATALOG % (*source, erase, *tags)),
        ("pipelines/load.yaml", PIPELINE % into),
    ):
        with open(os.path.join(folder, name), "w") as file:
            file.write(content)


class Lockgate:
    def __init__(self, program, store, protected, erasable=False):
        kind = ", erasable" if erasable else ""
        self.name = f"lockgate → {store}, {'protected' + kind if protected else 'clear'}"
        self.program, self.store, self.protected, self.erasable = program, store, protected, erasable

    def prepare(self, folder, source):
        into = ("loaded", self.store.lower())
        write_project(folder, ("", FILE_STORES), ("landing", "customers.csv"), self.protected, into, self.erasable)
        os.link(source, os.path.join(folder, "landing", "customers.csv"))
        return [self.program, "run", "load", "--project", folder]


class Sqlite:
    name = "sqlite3 .import"

    def prepare(self, folder, source):
        columns = "id INTEGER, name TEXT, email TEXT, phone TEXT, city TEXT, amount TEXT, signup TEXT, notes TEXT"
        commands = [f"CREATE TABLE loaded ({columns})", ".mode csv", f".import --skip 1 {source} loaded"]
        return ["sqlite3", os.path.join(folder, "out.db"), *commands]


class Arrow:
    name = "PyArrow CSV → Parquet"

    def prepare(self, folder, source):
        return [sys.executable, "-c", ARROW, source, os.path.join(folder, "out.parquet")]


def in_turn(cases, source, repeats, folder):
    """Each case with a folder of its own and the command that it has prepared there, `repeats` times over."""
    for _ in range(repeats):
        for case in cases:
            place = os.path.join(folder, "case")
            shutil.rmtree(place, ignore_errors=True)
            os.makedirs(place)
            yield case, place, case.prepare(place, source)
            shutil.rmtree(place)


def compare(cases, source, rows, repeats, folder):
    """Each case in turn, `repeats` times over; the medians."""
    results = {case.name: [] for case in cases}
    for case, place, command in in_turn(cases, source, repeats, folder):
        os.sync()
        results[case.name].append(measured(command, place))
    print(f"\n### {rows:,} rows, {os.path.getsize(source) / 2**20:,.0f} MiB, median of {repeats}\n")
    print("| | rows/s | wall s | processor s | peak MiB |\n|---|---|---|---|---|")
    medians = {}
    for name, runs in results.items():
        wall, processor, peak = (statistics.median(values) for values in zip(*runs))
        medians[name] = wall
        print(f"| {name} | {rows / wall:,.0f} | {wall:.2f} | {processor:.2f} | {peak:.0f} |", flush=True)
    return medians


def ratios(walls):
    print("\n| ratio of wall times | |\n|---|---|")
    for over, under in (
        ("lockgate → SQLite, clear", "sqlite3 .import"),
        ("lockgate → SQLite, protected", "lockgate → SQLite, clear"),
        ("lockgate → SQLite, protected, erasable", "lockgate → SQLite, protected"),
        ("lockgate → Parquet, clear", "PyArrow CSV → Parquet"),
        ("lockgate → Parquet, protected", "lockgate → Parquet, clear"),
    ):
        if over in walls:
            print(f"| {over} / {under} | {walls[over] / walls[under]:.2f} |")


class Server:
    """The PostgreSQL server that both sides write to: its table, and the processor time of those who served them."""

    def __init__(self, services):
        self.at, self.pki = services["postgres"], services["pki"]
        self.administrator = ["psql", "-h", self.at["socket"], "-p", str(self.at["port"]), "-U", "postgres", "-d", "warehouse", "-q"]
        with open(os.path.join(self.at["data"], "postmaster.pid")) as file:
            self.process = int(file.readline())

    def fresh_table(self, row_id):
        columns = (
            "id bigint PRIMARY KEY, name text, email text, phone text, city text, amount numeric(12,2), signup date, notes text"
        )
        statements = f"""
            DROP SCHEMA IF EXISTS bench CASCADE; CREATE SCHEMA bench AUTHORIZATION writers; SET ROLE writers;
            CREATE TABLE bench.loaded ({columns}{", lockgate_rid bigint NOT NULL" if row_id else ""}); RESET ROLE; CHECKPOINT;
        """
        subprocess.run([*self.administrator, "-v", "ON_ERROR_STOP=1", "-c", statements], check=True, capture_output=True)

    def rows(self):
        done = subprocess.run([*self.administrator, "-Atc", "SELECT count(*) FROM bench.loaded"], check=True, capture_output=True)
        return int(done.stdout)

    def processor_s(self):
        """Of all its processes that have ended."""
        with open(f"/proc/{self.process}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


class Copy:
    name = "psql \\copy"
    row_id = False

    def __init__(self, server):
        self.server = server

    def prepare(self, folder, source):
        at = f"host=localhost port={self.server.at['port']} dbname=warehouse user=by_password sslmode=verify-full sslrootcert={self.server.pki}/ca.pem"
        at += f" sslcert={self.server.pki}/svc-etl.crt sslkey={self.server.pki}/svc-etl.key"
        columns = "id, name, email, phone, city, amount, signup, notes"
        return ["psql", at, "-q", "-c", f"\\copy bench.loaded ({columns}) FROM '{source}' WITH (FORMAT csv, HEADER)"]


class LockgateToPostgres:
    row_id = True

    def __init__(self, program, services, protected, in_bucket):
        self.name = f"lockgate {'S3' if in_bucket else 'file'} → PostgreSQL, {'protected' if protected else 'clear'}"
        self.program, self.services, self.protected, self.in_bucket = program, services, protected, in_bucket

    def prepare(self, folder, source):
        values = {"pki": self.services["pki"], "port": self.services["postgres"]["port"], **self.services["s3"]}
        settings = (SERVICES % values, SERVICE_STORES % values)
        name = os.path.basename(source)
        write_project(folder, settings, ("bucket" if self.in_bucket else "landing", name), self.protected, ("bench.loaded", "postgresql"))
        if not self.in_bucket:
            os.link(source, os.path.join(folder, "landing", name))
        return [self.program, "run", "load", "--project", folder]


def compare_postgres(cases, server, source, rows, repeats, folder):
    """Each case in turn into a table of its own, `repeats` times over; the medians."""
    results = {case.name: [] for case in cases}
    for case, place, command in in_turn(cases, source, repeats, folder):
        server.fresh_table(case.row_id)
        before = server.processor_s()
        wall, processor, peak = measured(command, place)
        if server.rows() != rows:
            sys.exit(f"{case.name} wrote {server.rows()} rows of {rows}")
        # The server reaps the process that served it when that has ended.
        time.sleep(0.5)
        results[case.name].append((wall, processor, server.processor_s() - before, peak))
    return {name: [statistics.median(values) for values in zip(*runs)] for name, runs in results.items()}


def postgres(program, folder, repeats, services, counts):
    with open(services) as file:
        found = json.load(file)
    os.environ.update(
        PGPASSWORD="planted-postgres-password",
        AWS_ACCESS_KEY_ID=found["s3"]["access_key_id"],
        AWS_SECRET_ACCESS_KEY=found["s3"]["secret_access_key"],
    )
    server = Server(found)
    cases = [
        Copy(server),
        LockgateToPostgres(program, found, False, False),
        LockgateToPostgres(program, found, True, False),
        LockgateToPostgres(program, found, True, True),
    ]
    idle = {}
    for rows in [3, *map(int, counts)]:
        source = source_of(folder, rows)
        script = os.path.join(os.path.dirname(__file__), "../services/services.py")
        place = os.path.dirname(services)
        subprocess.run(["python3", script, "upload", place, f"bench/{os.path.basename(source)}", found["s3"]["kms_key"], source], check=True)
        medians = compare_postgres(cases, server, source, rows, 1 if rows == 3 else repeats, folder)
        if rows == 3:
            idle = {name: peak for name, (_, _, _, peak) in medians.items()}
            continue
        print(f"\n### PostgreSQL, {rows:,} rows, {os.path.getsize(source) / 2**20:,.0f} MiB, median of {repeats}\n")
        print("| | rows/s | of `psql \\copy` | processor s per million rows | the server's | peak MiB above idle |")
        print("|---|---|---|---|---|---|")
        whole = medians[Copy.name][0]
        for name, (wall, processor, served, peak) in medians.items():
            million = rows / 1_000_000
            print(
                f"| {name} | {rows / wall:,.0f} | {whole / wall:.2f} | {processor / million:.2f} | {served / million:.2f} "
                f"| {peak - idle[name]:.0f} |",
                flush=True,
            )


def source_of(folder, rows):
    """The file of so many rows, made once."""
    source = os.path.join(folder, f"customers-{rows}.csv")
    if not os.path.exists(source):
        write_rows(source + ".new", rows)
        os.rename(source + ".new", source)
    return source


def start_up(program, folder):
    print("\n### Start-up\n\n| command | median ms of 20 | peak MiB |\n|---|---|---|")
    project = os.path.join(folder, "idle")
    shutil.rmtree(project, ignore_errors=True)
    subprocess.run([program, "init", project], check=True, capture_output=True)
    subprocess.run([program, "run", "daily_customers", "--project", project], check=True, capture_output=True)
    for words in (["--version"], ["check"], ["history"], ["verify"], ["keys", "list"], ["run", "daily_customers"]):
        command = [program, *words] + ([] if words == ["--version"] else ["--project", project])
        runs = [measured(command, folder) for _ in range(20)]
        wall, _, peak = (statistics.median(values) for values in zip(*runs))
        print(f"| lockgate {' '.join(words)} | {wall * 1000:.0f} | {peak:.0f} |", flush=True)


def files(program, folder, repeats, counts):
    start_up(program, folder)
    for rows in map(int, counts):
        source = source_of(folder, rows)
        cases = [
            Sqlite(),
            Lockgate(program, "SQLite", False),
            Lockgate(program, "SQLite", True),
            *([Lockgate(program, "SQLite", True, True)] if rows <= ERASABLE_ROWS_MAX else []),
            Arrow(),
            Lockgate(program, "Parquet", False),
            Lockgate(program, "Parquet", True),
        ]
        ratios(compare(cases, source, rows, repeats, folder))


def main():
    what, program, folder, repeats, *rest = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    if what == "postgres":
        postgres(program, folder, int(repeats), rest[0], rest[1:])
    else:
        files(program, folder, int(repeats), rest)


main()
