"""LightGBM and XGBoost on the tables that `ml-parity` wrote: one JSON task in, one JSON answer out.

Task: {"folder", "rows": {part: n}, "columns", "categories": [column], "loss", "seeds": [s], "params", "what"}.
Tables are row-major little-endian f32 in `part.x`, labels in `part.y`; predictions go back as f64 in `peer.seed`.
"""
import ctypes
import json
import os
import subprocess
import sys
import time
import warnings

import lightgbm
import numpy
import xgboost

warnings.filterwarnings("ignore")
TASK = json.load(open(sys.argv[1]))
FOLDER = TASK["folder"]
CATEGORIES = TASK["categories"]
PARAMS = TASK["params"]


def part(name):
    rows = numpy.fromfile(f"{FOLDER}/{name}.x", dtype="<f4").reshape(-1, TASK["columns"])
    return rows, numpy.fromfile(f"{FOLDER}/{name}.y", dtype="<f4")


def light_params(seed, threads):
    binary = TASK["loss"] == "logistic"
    return {
        "objective": "binary" if binary else "regression",
        "metric": "binary_logloss" if binary else "l2",
        "learning_rate": PARAMS["learning_rate"],
        "num_leaves": PARAMS["leaves_max"],
        "min_data_in_leaf": PARAMS["rows_min"],
        "lambda_l2": PARAMS["l2"],
        "max_bin": 255,
        "bagging_fraction": PARAMS["row_share"],
        "bagging_freq": 1 if PARAMS["row_share"] < 1 else 0,
        "feature_fraction": PARAMS["column_share"],
        "seed": seed,
        "num_threads": threads,
        "verbosity": -1,
        "deterministic": True,
    }


def boost_params(seed, threads):
    binary = TASK["loss"] == "logistic"
    return {
        "objective": "binary:logistic" if binary else "reg:squarederror",
        "eval_metric": "logloss" if binary else "rmse",
        "eta": PARAMS["learning_rate"],
        "tree_method": "hist",
        "grow_policy": "lossguide",
        "max_depth": 0,
        "max_leaves": PARAMS["leaves_max"],
        # Its least hessian counts rows for squared loss only.
        "min_child_weight": 1 if binary else PARAMS["rows_min"],
        "lambda": PARAMS["l2"],
        "max_bin": 256,
        "subsample": PARAMS["row_share"],
        "colsample_bytree": PARAMS["column_share"],
        "seed": seed,
        "nthread": threads,
        "verbosity": 0,
    }


def light_data(name, reference=None):
    rows, labels = part(name)
    data = lightgbm.Dataset(rows, labels, categorical_feature=CATEGORIES or "auto", reference=reference, params={"verbosity": -1})
    return data.construct()


def boost_data(name):
    rows, labels = part(name)
    types = ["c" if column in CATEGORIES else "float" for column in range(TASK["columns"])]
    return xgboost.DMatrix(rows, labels, feature_types=types, enable_categorical=True)


def quality():
    """Early stopping on `valid`, predictions of `test`, one file a library and seed."""
    train, boosted_train = light_data("train"), boost_data("train")
    valid, boosted_valid = light_data("valid", train), boost_data("valid")
    test, boosted_test = part("test")[0], boost_data("test")
    answer = {"lightgbm_rounds": [], "xgboost_rounds": []}
    patience = PARAMS["patience_rounds"]
    for seed in TASK["seeds"]:
        model = lightgbm.train(
            light_params(seed, TASK["threads"]), train, PARAMS["rounds_max"], valid_sets=[valid],
            callbacks=[lightgbm.early_stopping(patience, verbose=False)],
        )
        model.predict(test).astype("<f8").tofile(f"{FOLDER}/lightgbm.{seed}")
        answer["lightgbm_rounds"].append(model.best_iteration)
        model = xgboost.train(
            boost_params(seed, TASK["threads"]), boosted_train, PARAMS["rounds_max"],
            evals=[(boosted_valid, "valid")], early_stopping_rounds=patience, verbose_eval=False,
        )
        scores = model.predict(boosted_test, iteration_range=(0, model.best_iteration + 1))
        scores.astype("<f8").tofile(f"{FOLDER}/xgboost.{seed}")
        answer["xgboost_rounds"].append(model.best_iteration + 1)
    return answer


def timed(work, times):
    best = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        best.append(time.perf_counter() - start)
    return sorted(best)[len(best) // 2]


def speed():
    """Fits the full forest from raw rows, binning included; then predicts and explains."""
    rows, labels = part("train")
    answer = {}

    def light(threads):
        data = lightgbm.Dataset(rows, labels, categorical_feature=CATEGORIES or "auto", params={"verbosity": -1, "num_threads": threads})
        return lightgbm.train(light_params(1, threads), data, PARAMS["rounds_max"])

    def boost(threads):
        types = ["c" if column in CATEGORIES else "float" for column in range(TASK["columns"])]
        data = xgboost.DMatrix(rows, labels, feature_types=types, enable_categorical=True, nthread=threads)
        return xgboost.train(boost_params(1, threads), data, PARAMS["rounds_max"])

    if TASK["what"] == "fit":
        threads = TASK["threads"]
        answer["lightgbm"] = timed(lambda: light(threads), 1)
        if TASK["xgboost"]:
            answer["xgboost"] = timed(lambda: boost(threads), 1)
        return answer
    model = light(2)
    path = f"{FOLDER}/lightgbm.txt"
    model.save_model(path)
    sample = numpy.ascontiguousarray(rows[: TASK["batch"]])
    sample.tofile(f"{FOLDER}/sample.x")
    library = os.path.join(os.path.dirname(lightgbm.__file__), "lib", "lib_lightgbm.so")
    if not os.path.exists(library):
        library = os.path.join(os.path.dirname(lightgbm.__file__), "lib_lightgbm.so")
    single = subprocess.run(
        [TASK["single_row"], library, path, f"{FOLDER}/sample.x", str(len(sample)), str(TASK["columns"])],
        capture_output=True, text=True, check=True,
    )
    answer["single_row_us"] = float(single.stdout)
    for threads in (1, 2):
        answer[f"batch_rows_s_{threads}"] = len(sample) / timed(lambda: model.predict(sample, num_threads=threads), 3)
    few = sample[: TASK["explained"]]
    answer["shap_us"] = timed(lambda: model.predict(few, pred_contrib=True, num_threads=1), 3) / len(few) * 1e6
    return answer


answer = quality() if TASK["what"] == "quality" else speed()
answer["versions"] = {"lightgbm": lightgbm.__version__, "xgboost": xgboost.__version__}
json.dump(answer, sys.stdout)
