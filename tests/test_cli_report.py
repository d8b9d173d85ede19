"""`bioscan5m report` and `push-results`, as they are typed."""

from huggingface_hub import ModelCard
from invented_results import novelty

from bioscan5m_hf.evaluation.results import write_result


def test_results_become_a_report_and_then_a_card(bioscan5m, hub, repo_id, tmp_path):
    files = [write_result(tmp_path / "results", novelty(number, name)) for number, name in enumerate(("one", "two"))]
    status, out, _ = bioscan5m("report", *files, "--out", tmp_path / "report")
    assert (status, out.strip()) == (0, str(tmp_path / "report" / "README.md"))
    assert (tmp_path / "report" / "plots" / "novelty-dna-main.png").is_file()
    hub.seed(repo_id, {"README.md": b"---\nlicense: mit\n---\n# One\n"}, "model")
    words = ("push-results", tmp_path / "results", repo_id, "--model", "one")
    status, out, _ = bioscan5m(*words)
    assert status == 0
    assert "2 files uploaded, 0 unchanged\nno .eval_results: the results name no dataset on the Hub" in out
    status, out, _ = bioscan5m(*words, "--benchmark", "me/bioscan-5m")
    assert "2 files uploaded, 1 unchanged" in out  # the record was there
    status, out, _ = bioscan5m(*words, "--benchmark", "me/bioscan-5m")
    assert out == f"0 files uploaded, 3 unchanged\n{hub.url}/{repo_id}\n"
    (found,) = [one for one in ModelCard.load(repo_id).data.eval_results if one.dataset_type == "me/bioscan-5m"]
    assert found.metric_value == 0.9


def test_what_is_wrong_is_one_line(bioscan5m, tmp_path):
    path = write_result(tmp_path, novelty(0, "one"))
    path.write_text(path.read_text()[:50])
    status, _, error = bioscan5m("report", path, "--out", tmp_path / "report")
    assert status == 1
    assert error.startswith(f"bioscan5m: {path} is no whole JSON file")
    assert not (tmp_path / "report").exists()
