"""Times Lockgate beside its peers on the same file, in turn: rows a second, processor time, peak memory.

Called by `cargo xtask bench`: bench.py PROGRAM FOLDER REPEATS ROWS...
"""

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
stores:
  landing: { at: "file://./landing" }
  sqlite: { at: "sqlite://./out.db", clearance: internal }
  parquet: { at: "file://./out", clearance: internal }
keys: { default: { local: ./.lockgate/keys } }
ledger: { at: "file://./.lockgate/ledger" }
protect:
  - { tag: pii.name, with: seal }
  - { tag: pii.email, with: "token(domain: email)" }
  - { tag: pii.phone, with: "token(domain: phone)" }
"""

CATALOG = """\
dataset: customers
at: { store: landing, path: "customers.csv", format: csv }
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
into: { dataset: loaded, store: %s }
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


class Lockgate:
    def __init__(self, program, store, protected, erasable=False):
        kind = ", erasable" if erasable else ""
        self.name = f"lockgate → {store}, {'protected' + kind if protected else 'clear'}"
        self.program, self.store, self.protected, self.erasable = program, store, protected, erasable

    def prepare(self, folder, source):
        os.makedirs(os.path.join(folder, "landing"))
        os.makedirs(os.path.join(folder, "catalog"))
        os.makedirs(os.path.join(folder, "pipelines"))
        os.link(source, os.path.join(folder, "landing", "customers.csv"))
        tags = [f", tags: [{tag}]" if self.protected else "" for tag in ("pii.name", "pii.email", "pii.phone")]
        erase = "erase_by: subject\n" if self.erasable else ""
        for name, content in (
            ("lockgate.yaml", SETTINGS),
            ("catalog/customers.yaml", CATALOG % (erase, *tags)),
            ("pipelines/load.yaml", PIPELINE % self.store.lower()),
        ):
            with open(os.path.join(folder, name), "w") as file:
                file.write(content)
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


def compare(cases, source, rows, repeats, folder):
    """Each case in turn, `repeats` times over; the medians."""
    results = {case.name: [] for case in cases}
    for _ in range(repeats):
        for case in cases:
            place = os.path.join(folder, "case")
            shutil.rmtree(place, ignore_errors=True)
            os.makedirs(place)
            command = case.prepare(place, source)
            os.sync()
            results[case.name].append(measured(command, place))
            shutil.rmtree(place)
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


def main():
    program, folder, repeats, *counts = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    start_up(program, folder)
    for rows in map(int, counts):
        source = os.path.join(folder, f"customers-{rows}.csv")
        if not os.path.exists(source):
            write_rows(source + ".new", rows)
            os.rename(source + ".new", source)
        cases = [
            Sqlite(),
            Lockgate(program, "SQLite", False),
            Lockgate(program, "SQLite", True),
            *([Lockgate(program, "SQLite", True, True)] if rows <= ERASABLE_ROWS_MAX else []),
            Arrow(),
            Lockgate(program, "Parquet", False),
            Lockgate(program, "Parquet", True),
        ]
        ratios(compare(cases, source, rows, int(repeats), folder))


main()
