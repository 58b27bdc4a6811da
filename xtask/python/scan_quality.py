"""Measures `lockgate scan` on labelled columns and texts, and prints precision, recall and F1 for each tag.

    scan_quality.py LOCKGATE PRESIDIO_EVALUATOR

Columns come from mimesis, whose lists share nothing with the detectors', and from the table of fictitious persons in
presidio-evaluator, whose sentence templates make the texts. Every seed is fixed.
"""

import csv
import itertools
import json
import random
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from mimesis import Generic
from mimesis.locales import Locale

LOCALES = [Locale.EN, Locale.DE, Locale.FR, Locale.ES, Locale.IT, Locale.PL, Locale.PT_BR, Locale.NL, Locale.SV, Locale.TR]
ROWS = 120
THRESHOLD = 0.5
random.seed(20261124)


def luhn(body):
    digits = [int(d) for d in body[::-1]]
    total = sum((d * 2 - 9 if d > 4 else d * 2) if place % 2 == 0 else d for place, d in enumerate(digits))
    return body + str(-total % 10)


def iban():
    country, body = random.choice([("DE", 18), ("AT", 16), ("BE", 12)])
    bban = "".join(random.choices("0123456789", k=body))
    if country == "BE":
        bban = bban[:10] + f"{int(bban[:10]) % 97 or 97:02}"
    number = int(bban + "".join(str(ord(c) - 55) for c in country) + "00")
    text = f"{country}{98 - number % 97:02}{bban}"
    return random.choice([text, " ".join(re.findall(".{1,4}", text))])


def ssn():
    return f"{random.randint(1, 665):03}-{random.randint(1, 99):02}-{random.randint(1, 9999):04}"


def dni():
    number = random.randint(10_000_000, 99_999_999)
    return f"{number}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"


def pesel():
    body = f"{random.randint(40, 99):02}{random.randint(1, 12):02}{random.randint(1, 28):02}{random.randint(0, 9999):04}"
    check = -sum(int(d) * w for d, w in zip(body, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3])) % 10
    return f"{body}{check}"


def steuer_id():
    while True:
        digits = random.sample(range(10), 9)
        body = digits + [random.choice(digits)]
        random.shuffle(body)
        if body[0]:
            break
    product = 10
    for digit in body:
        product = ((product + digit) % 10 or 10) * 2 % 11
    return "".join(map(str, body)) + str((11 - product) % 10)


def positives(locale, seed):
    g = Generic(locale, seed=seed)
    person, address, internet, date = g.person, g.address, g.internet, g.datetime
    full = person.full_name
    yield "pii.email", ["email", "contact_mail", "user", "c1"], lambda: person.email()
    yield "pii.phone", ["phone", "mobile_number", "Tel."], lambda: person.phone_number()
    yield "pii.name", ["name", "customer_name", "Full Name", "holder"], full
    yield "pii.name", ["first_name", "Vorname", "prenom", "given name"], person.first_name
    yield "pii.name", ["last_name", "surname", "apellidos", "familyName"], person.last_name
    yield "pii.address", ["address", "street", "shippingAddress", "addr_line_1"], address.address
    yield "pii.birth_date", ["dob", "birth_date", "Geburtsdatum", "fecha_nacimiento"], lambda: date.formatted_date(
        fmt=random.choice(["%Y-%m-%d"]), start=1940, end=2008
    )
    yield "pii.national_id", ["ssn", "national_id"], ssn
    yield "pii.national_id", ["dni", "document", "c4"], dni
    yield "pii.national_id", ["pesel", "nr"], pesel
    yield "pii.tax_id", ["steuer_id", "tax_number", "tin"], steuer_id
    yield "fin.iban", ["iban", "account", "c9"], iban
    yield "pci.pan", ["card_number", "cc", "payment_ref", "c2"], lambda: luhn(
        random.choice(["4", "51", "55"]).ljust(15, "0")[:2] + "".join(random.choices("0123456789", k=13))
    )
    yield "pci.cvv", ["cvv", "security_code"], lambda: f"{random.randint(0, 999):03}"
    yield "pii.ip", ["ip", "client_ip", "source", "c5"], internet.ip_v4
    yield "pii.ip", ["ipv6", "c6"], internet.ip_v6
    yield "pii.gender", ["gender", "sex"], lambda: random.choice(["M", "F"])
    yield "auth.credential", ["password", "pwd"], person.password
    yield "auth.credential", ["token", "c8"], lambda: "ghp_" + "".join(random.choices("abcdefghijklmnopqrstuvwxyzABCDEF0123456789", k=36))


def negatives(locale, seed):
    g = Generic(locale, seed=seed)
    start = random.randint(1_000_000, 9_000_000_000)
    counter = itertools.count(start, random.choice([1, 1, 3, 7]))
    yield ["id", "order_id", "customer_id", "c1", "nr"], lambda: next(counter)
    yield ["sku", "article", "c2"], lambda: f"{random.choice('ABCDEFG')}{random.choice('XYZ')}-{random.randint(1000, 99999)}"
    yield ["product_name", "item", "title"], lambda: f"{g.text.color()} {g.hardware.manufacturer()} {g.hardware.phone_model()}"
    yield ["dish", "description"], lambda: g.food.dish()
    yield ["company", "vendor", "employer"], g.finance.company
    yield ["city", "location"], g.address.city
    yield ["country", "c3"], g.address.country
    yield ["uuid", "session"], lambda: str(random.getrandbits(128))[:36]
    yield ["hash", "etag"], lambda: f"{random.getrandbits(256):064x}"
    yield ["phone_model", "device"], g.hardware.phone_model
    yield ["version", "build"], lambda: f"{random.randint(0, 20)}.{random.randint(0, 20)}.{random.randint(0, 20)}"
    yield ["created_at", "updated", "ship_date"], lambda: g.datetime.formatted_date(fmt="%Y-%m-%d", start=2015, end=2026)
    yield ["timestamp", "epoch"], lambda: random.randint(1_500_000_000, 1_790_000_000)
    yield ["amount", "price", "balance"], lambda: f"{random.uniform(1, 100000):.2f}"
    yield ["quantity", "stock", "score"], lambda: random.randint(1, 999)
    yield ["status", "state"], lambda: random.choice(["open", "closed", "pending", "May", "April"])
    yield ["color", "colour"], g.text.color
    yield ["department", "job_title", "occupation"], g.person.occupation
    yield ["comment", "notes"], lambda: g.text.sentence()[:80]
    yield ["url", "website"], g.internet.url
    yield ["email_count", "phone_count", "address_id"], lambda: random.randint(0, 5000)
    yield ["nationality", "language"], g.person.nationality
    yield ["ref", "tracking", "c7"], lambda: "".join(random.choices("0123456789", k=random.choice([12, 14, 16])))
    yield ["latitude", "lon"], lambda: f"{random.uniform(-90, 90):.6f}"
    yield ["file", "path"], g.path.home


def scan(program, path):
    run = subprocess.run([program, "scan", path, "--min-confidence", str(THRESHOLD)], capture_output=True, text=True)
    if run.returncode:
        sys.exit(run.stderr)
    return [json.loads(line) for line in run.stdout.splitlines()]


class Score:
    def __init__(self):
        self.tp, self.fp, self.fn, self.wrong = defaultdict(int), defaultdict(int), defaultdict(int), []

    def column(self, expected, found, name):
        for tag in found:
            if tag == expected:
                self.tp[tag] += 1
            else:
                self.fp[tag] += 1
                self.wrong.append(f"{name}: {tag} instead of {expected or 'nothing'}")
        if expected and expected not in found:
            self.fn[expected] += 1
            self.wrong.append(f"{name}: no {expected}, but {found}")

    def table(self, title):
        print(f"\n{title}\n\n| tag | cases | precision | recall | F1 |\n|---|---|---|---|---|")
        for tag in sorted(set(self.tp) | set(self.fp) | set(self.fn)):
            tp, fp, fn = self.tp[tag], self.fp[tag], self.fn[tag]
            precision, recall = tp / (tp + fp) if tp + fp else 0, tp / (tp + fn) if tp + fn else 0
            f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0
            print(f"| {tag} | {tp + fn} | {precision:.3f} | {recall:.3f} | {f1:.3f} |")


def write_columns(path, columns):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([header for header, _, _ in columns])
        writer.writerows(zip(*[values for _, _, values in columns]))


def measure_columns(program, folder):
    score, count = Score(), 0
    for number, locale in enumerate(LOCALES):
        columns = []
        for tag, headers, make in positives(locale, number):
            for header in headers:
                columns.append((header, tag, [make() for _ in range(ROWS)]))
        for headers, make in negatives(locale, number):
            for header in headers:
                columns.append((header, None, [make() for _ in range(ROWS)]))
        columns = [(f"{header}", tag, values) for header, tag, values in columns]
        random.shuffle(columns)
        # Files of a few columns; a header stands once in a file.
        while columns:
            taken, rest, seen = [], [], set()
            for column in columns:
                (rest if column[0] in seen or len(taken) == 12 else taken).append(column)
                seen.add(column[0])
            path = folder / f"{locale.value}-{count}.csv"
            write_columns(path, taken)
            count += 1
            for (header, tag, _), line in zip(taken, scan(program, path)):
                assert line["column"] == header, (line["column"], header)
                score.column(tag, [found["tag"] for found in line["tags"]], f"{locale.value} {header}")
            columns = rest
    return score


FICTITIOUS = {
    "GivenName": "pii.name", "Surname": "pii.name", "StreetAddress": "pii.address", "EmailAddress": "pii.email",
    "TelephoneNumber": "pii.phone", "Birthday": "pii.birth_date", "CCNumber": "pci.pan", "CVV2": "pci.cvv",
    "Gender": "pii.gender", "ZipCode": "pii.address", "NationalID": "pii.national_id", "Password": "auth.credential",
    "MothersMaiden": "pii.name", "Username": "ignored", "City": "ignored", "CountryFull": None, "Company": None,
    "Occupation": None, "Vehicle": None, "Color": None, "Domain": None, "BloodType": "pii.health", "Age": None,
    "Kilograms": None, "GUID": None, "UPS": None, "NameSet": None, "TropicalZodiac": None, "Title": "ignored",
    "MiddleInitial": "ignored", "StateFull": None, "Country": None, "CCType": None, "Centimeters": None,
}


def measure_fictitious(program, source):
    score = Score()
    for line in scan(program, source):
        expected = FICTITIOUS.get(line["column"], "ignored")
        if expected != "ignored":
            score.column(expected, [found["tag"] for found in line["tags"]], f"presidio {line['column']}")
    return score


TEXT_TAGS = {
    "credit_card_number": "pci.pan", "address": "pii.address", "person": "pii.name", "name": "pii.name",
    "name_female": "pii.name", "name_male": "pii.name", "phone_number": "pii.phone", "email": "pii.email",
    "iban": "fin.iban", "ssn": "pii.national_id", "ip_address": "pii.ip", "date_of_birth": "pii.birth_date",
}


def measure_texts(program, templates, source, folder):
    people = list(csv.DictReader(open(source, encoding="utf-8-sig")))
    en = Generic(Locale.EN, seed=7)
    texts = []
    for number in range(2000):
        person = random.choice(people)
        values = {
            "credit_card_number": lambda: luhn("4" + "".join(random.choices("0123456789", k=14))),
            "address": lambda: f"{person['StreetAddress']}, {person['City']}",
            "person": lambda: f"{person['GivenName']} {person['Surname']}", "name": lambda: f"{person['GivenName']} {person['Surname']}",
            "name_female": lambda: f"{person['GivenName']} {person['Surname']}", "name_male": lambda: f"{person['GivenName']} {person['Surname']}",
            "first_name": lambda: person["GivenName"], "last_name": lambda: person["Surname"],
            "phone_number": lambda: person["TelephoneNumber"], "email": lambda: person["EmailAddress"], "iban": iban, "ssn": ssn,
            "ip_address": en.internet.ip_v4, "date_of_birth": lambda: person["Birthday"], "city": lambda: person["City"],
            "country": lambda: person["CountryFull"], "organization": lambda: person["Company"], "age": lambda: str(random.randint(18, 90)),
            "year": lambda: str(random.randint(1990, 2026)), "url": en.internet.url, "job": en.person.occupation,
            "date_time": lambda: "2026-11-24 10:00", "day_of_week": en.datetime.week_date, "nationality": en.person.nationality,
        }
        template = random.choice(templates)
        if any(name not in values for name in re.findall(r"{{\s*(\w+)\s*}}", template)):
            continue
        text, spans, at = "", [], 0
        for place in re.finditer(r"{{\s*(\w+)\s*}}", template):
            text += template[at:place.start()]
            value = str(values[place.group(1)]())
            tag = TEXT_TAGS.get(place.group(1))
            if place.group(1) in ("first_name", "last_name"):
                tag = "ignored"
            if tag:
                spans.append((len(text), len(text) + len(value), tag))
            text += value
            at = place.end()
        texts.append((number, text + template[at:], spans))
    path = folder / "texts.jsonl"
    path.write_text("".join(json.dumps({"id": number, "text": text}) + "\n" for number, text, _ in texts), encoding="utf-8")
    run = subprocess.run([program, "scan", "--text", path], capture_output=True, text=True, check=True)
    score = Score()
    for (number, text, expected), line in zip(texts, map(json.loads, run.stdout.splitlines())):
        assert line["id"] == number
        found = [(s["start"], s["end"], s["tag"]) for s in line["spans"] if s["score"] >= THRESHOLD]
        overlap = lambda a, b: a[0] < b[1] and b[0] < a[1]
        for span in expected:
            if span[2] == "ignored":
                continue
            if any(overlap(span, other) and other[2] == span[2] for other in found):
                score.tp[span[2]] += 1
            else:
                score.fn[span[2]] += 1
                score.wrong.append(f"text: no {span[2]} in: {text[max(0, span[0] - 20):span[1] + 10]!r}")
        for other in found:
            if not any(overlap(span, other) and span[2] in (other[2], "ignored") for span in expected):
                score.fp[other[2]] += 1
                score.wrong.append(f"text: {other[2]} at: {text[max(0, other[0] - 20):other[1] + 10]!r}")
    return score


def main():
    program, presidio = sys.argv[1], Path(sys.argv[2])
    raw = presidio / "data_generator/raw_data"
    source = next(raw.glob("FakeNameGenerator*.csv"))
    templates = [line for line in (raw / "templates.txt").read_text(encoding="utf-8").splitlines() if line.strip()]
    with tempfile.TemporaryDirectory() as folder:
        scores = [
            ("Columns, mimesis", measure_columns(program, Path(folder))),
            ("Columns, presidio-evaluator's fictitious persons", measure_fictitious(program, source)),
            ("Texts, presidio-evaluator's templates", measure_texts(program, templates, source, Path(folder))),
        ]
    for title, score in scores:
        score.table(title)
    if "--wrong" in sys.argv:
        for _, score in scores:
            print("\n".join(score.wrong), file=sys.stderr)


if __name__ == "__main__":
    main()
