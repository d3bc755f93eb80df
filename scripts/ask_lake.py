#!/usr/bin/env python3
"""Asks an export of the log in SQL: ask_lake.py ENGINE PLACE TYPE[,TYPE] SQL...

ENGINE is duckdb, datafusion or spark, PLACE the folder that holds manifest.json. Each aggregate type is a table of its
events, and with `_states` behind its name one of its states: Vehicle, Vehicle_states. Each answer is one line of JSON.
What reads here reads the files that the manifest names, and no others: files that were replaced may still lie there.
"""
import datetime
import decimal
import json
import os
import sys


def files_of(place, manifest, aggregate_type):
    spans = [file for span in manifest["events"] for file in span["files"]]
    for table, files in (aggregate_type, spans), (aggregate_type + "_states", manifest["states"]):
        paths = [os.path.join(place, f["path"]) for f in files if f["aggregate_type"] == aggregate_type]
        if paths:
            yield table, paths


def in_duckdb(place, tables):
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for table, paths in tables:
        connection.execute(
            f'CREATE VIEW "{table}" AS SELECT * FROM read_parquet($paths, union_by_name = true, hive_partitioning = true)'.replace(
                "$paths", json.dumps(paths).replace('"', "'")
            )
        )
    return lambda sql: connection.execute(sql).fetchall()


def in_datafusion(place, tables):
    import datafusion
    import pyarrow
    import pyarrow.dataset

    context = datafusion.SessionContext()
    for table, paths in tables:
        folder = os.path.join(place, "states" if table.endswith("_states") else "events")
        parts = [pyarrow.dataset.dataset(path, format="parquet") for path in paths]
        hive = pyarrow.dataset.partitioning(
            pyarrow.schema([("aggregate_type", pyarrow.string()), ("month", pyarrow.string())]), flavor="hive"
        )
        schema = pyarrow.unify_schemas([part.schema for part in parts] + [hive.schema])
        whole = pyarrow.dataset.dataset(
            paths, schema=schema, format="parquet", partitioning=hive, partition_base_dir=folder
        )
        context.register_dataset(f"\"{table}\"", whole)
    return lambda sql: [tuple(row.values()) for row in context.sql(sql).to_pylist()]


def in_spark(place, tables):
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.sql.session.timeZone", "UTC").config("spark.driver.bindAddress", "127.0.0.1")
    builder = builder.config("spark.driver.host", "127.0.0.1").config("spark.ui.showConsoleProgress", "false")
    builder = builder.config("spark.sql.sources.partitionColumnTypeInference.enabled", "false")
    session = builder.config("spark.log.level", "ERROR").getOrCreate()
    for table, paths in tables:
        folder = os.path.join(place, "states" if table.endswith("_states") else "events")
        rows = session.read.option("basePath", folder).option("mergeSchema", "true").parquet(*paths)
        rows.createOrReplaceTempView(table)
    return lambda sql: [tuple(row) for row in session.sql(sql.replace('"', "`")).collect()]


def plain(value):
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    return value


def main(engine, place, types, *questions):
    with open(os.path.join(place, "manifest.json")) as file:
        manifest = json.load(file)
    tables = [table for name in types.split(",") for table in files_of(place, manifest, name)]
    ask = {"duckdb": in_duckdb, "datafusion": in_datafusion, "spark": in_spark}[engine](place, tables)
    for question in questions:
        print(json.dumps([[plain(value) for value in row] for row in ask(question)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
