"""RecBole's SASRec on a log of ours: what `recbole_speed` runs with the Python of RecBole's own environment.

Prints JSON lines: {"seconds", "examples", "hr@10", "ndcg@10"} after every epoch that ends in time.
"""

import argparse
import json
import sys
import time

from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.model.sequential_recommender import SASRec
from recbole.trainer import Trainer
from recbole.utils import init_seed

parser = argparse.ArgumentParser()
parser.add_argument("--path", required=True)
parser.add_argument("--dataset", required=True)
parser.add_argument("--seconds", type=float, required=True)
parser.add_argument("--hidden", type=int, required=True)
parser.add_argument("--layers", type=int, required=True)
parser.add_argument("--length", type=int, required=True)
parser.add_argument("--batch", type=int, required=True)
parser.add_argument("--threads", type=int, required=True)
given = parser.parse_args()
sys.argv = sys.argv[:1]  # RecBole reads the command line too

import torch  # noqa: E402

torch.set_num_threads(given.threads)
settings = {
    "data_path": given.path,
    "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
    "MAX_ITEM_LIST_LENGTH": given.length,
    "hidden_size": given.hidden,
    "inner_size": 4 * given.hidden,
    "n_layers": given.layers,
    "n_heads": 4,
    "train_neg_sample_args": None,
    "loss_type": "CE",
    "train_batch_size": given.batch,
    "eval_batch_size": 2048,
    "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full", "group_by": "user"},
    "metrics": ["Hit", "NDCG"],
    "topk": [10],
    "valid_metric": "NDCG@10",
    "learning_rate": 0.001,
    "use_gpu": False,
    "show_progress": False,
    "state": "ERROR",
}
config = Config(model="SASRec", dataset=given.dataset, config_dict=settings)
init_seed(0, True)
train, valid, _ = data_preparation(config, create_dataset(config))
model = SASRec(config, train.dataset).to(config["device"])
trainer = Trainer(config, model)
trained, examples, epoch = 0.0, 0, 0
many = len(train.dataset)
while trained < given.seconds:
    begun = time.perf_counter()
    trainer._train_epoch(train, epoch, show_progress=False)
    trained += time.perf_counter() - begun
    examples += many
    epoch += 1
    found = trainer.evaluate(valid, load_best_model=False, show_progress=False)
    said = {"seconds": trained, "examples": examples, "hr@10": found["hit@10"], "ndcg@10": found["ndcg@10"]}
    print(json.dumps(said), flush=True)
