"""Runs statements on one local session of Spark: job.json in the folder given, answers.json beside it."""

import json
import os
import struct
import sys
from datetime import datetime, timezone
from pathlib import Path

os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"

from pyspark.sql import SparkSession  # noqa: E402

IDS = "__lockgate_rid"


def session(folder):
    settings = {
        # What docs/spark.md asks of a cluster; all of it is Spark 4's default except the zone.
        "spark.sql.ansi.enabled": "true",
        "spark.sql.session.timeZone": "UTC",
        # Small and on its own.
        "spark.ui.enabled": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.adaptive.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
    }
    builder = SparkSession.builder.master("local[2]").appName("lockgate")
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    return spark


def load(spark, folder, name, table):
    """A table of typed columns and row ids, two files of it where it has rows for two."""
    columns = [column for column, _ in table["columns"]]
    lines = folder / f"{name}-{table['name']}.jsonl"
    with lines.open("w", encoding="utf-8") as file:
        for number, row in enumerate(table["rows"]):
            file.write(json.dumps({**dict(zip(columns, row)), IDS: str(table["first_id"] + number)}) + "\n")
    schema = ", ".join(f"`{column}` STRING" for column in columns) + f", `{IDS}` STRING"
    texts = spark.read.schema(schema).json(str(lines))
    casts = [f"CAST(`{column}` AS {kind}) AS `{column}`" for column, kind in table["columns"]]
    typed = texts.selectExpr(*casts, f"CAST(`{IDS}` AS BIGINT) AS `{IDS}`")
    if "." in table["name"]:
        spark.sql(f"CREATE DATABASE IF NOT EXISTS `{table['name'].split('.')[0]}`")
        typed.repartition(2).write.mode("overwrite").saveAsTable(table["name"])
    else:
        stored = str(folder / f"{name}-{table['name']}.parquet")
        typed.repartition(2).write.mode("overwrite").parquet(stored)
        spark.read.parquet(stored).createOrReplaceTempView(table["name"])


def written(value, kind):
    """The value as tests/plan/spark/results.rs writes it."""
    if value is None:
        return None
    if kind == "double":
        return struct.pack(">d", value).hex()
    if kind == "timestamp":
        since = value.replace(tzinfo=timezone.utc) - datetime(1970, 1, 1, tzinfo=timezone.utc)
        return str((since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds)
    if kind == "boolean":
        return "true" if value else "false"
    if kind.startswith("decimal"):
        return format(value, "f")
    if kind.startswith("array"):
        return json.dumps(value)
    return str(value)


def answer(spark, statement):
    try:
        table = spark.sql(statement["sql"])
        types = [kind for _, kind in table.dtypes]
        rows = [[written(value, kind) for value, kind in zip(row, types)] for row in table.collect()]
    except Exception as error:  # Whatever Spark says is the answer.
        return {"error": str(error)[:2000]}
    if not statement["ordered"]:
        rows.sort(key=lambda row: [(value is not None, value or "") for value in row])
    return {"types": types, "rows": rows}


def main():
    folder = Path(sys.argv[1])
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    spark = session(folder)
    answers = []
    loaded = None
    sets = {tables["name"]: tables["tables"] for tables in job["sets"]}
    for statement in job["statements"]:
        if statement["set"] != loaded:
            loaded = statement["set"]
            for table in sets[loaded]:
                load(spark, folder, loaded, table)
        answers.append(answer(spark, statement))
    (folder / "answers.json").write_text(json.dumps(answers), encoding="utf-8")
    spark.stop()


main()
