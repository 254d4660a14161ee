"""bench_peers.py - what bench/peers makes of figures, and that it lets no lost task through.

Stands in for the systems: a program that prints what a test wants it to have seen.
Usage: bench_peers.py SOURCE_DIR
"""

import json
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree
from pathlib import Path

SOURCE = Path(sys.argv.pop())
sys.path.insert(0, str(SOURCE / "bench" / "peers"))

import catalog  # noqa: E402
import chart  # noqa: E402
import figures  # noqa: E402
import report  # noqa: E402
import targets  # noqa: E402
import trials  # noqa: E402

MACHINE = {
    "processor": "a processor", "processors": 2, "virtual": True, "memory_bytes": 2**33,
    "system": "a system", "kernel": "Linux 6", "filesystem": "ext4", "tmesh": "0.1.0",
    "versions": {"redis-server": "7"},
}


def trial(system, workload, number, value, **more):
    seen = {
        "tasks_per_second": value, "cpu_seconds_per_million": 2.0, "peak_rss_bytes": 1,
        "lost": 0, "repeated": 0, "core_share": value,
        "latency_us": {"p50": value, "p99": value, "p99_9": value},
    }
    return trials.Trial(system, workload, number, {**seen, **more}, 0.0)


def failed(system, workload, number):
    return trials.Trial(system, workload, number, None, 0.0, "INTEGRITY: 3 lost")


def session_of(done, runs=3):
    return {"date": "2026-01-01", "seconds": 1, "runs": runs, "quick": False,
            "machine": MACHINE, "skipped": {}, "trials": [one._asdict() for one in done]}


def verdict(tables, what):
    found = [f for f in targets.findings(tables) if f.target.what.startswith(what)]
    assert found, what
    return found[0]


class Figures(unittest.TestCase):
    def test_a_ratio_is_that_of_a_round_and_not_of_two_medians(self):
        done = []
        # The machine is a hundred times slower in some rounds, and so are both systems.
        for number, speed in ((1, 1), (2, 100), (3, 1)):
            done.append(trial("tmesh", "W1", number, 3000 * speed))
            done.append(trial("redis-lua", "W1", number, 1000 * speed))
        # Here one had bad luck twice; its median would tell of a ratio of 300.
        for number, other in ((1, 1000), (2, 10), (3, 10)):
            done.append(trial("rabbitmq", "W1", number, other))
        tables = figures.Tables(done, {})
        reference = tables.reference(catalog.WORKLOADS["W1"])
        self.assertEqual(figures.times_better(tables.row("redis-lua", "W1"), reference), [3, 3, 3])
        self.assertEqual(sorted(figures.times_better(tables.row("rabbitmq", "W1"), reference)),
                         [3, 300, 30000])

    def test_less_is_better_for_latency(self):
        tables = figures.Tables([trial("tmesh", "W2", 1, 50), trial("rabbitmq", "W2", 1, 200)], {})
        reference = tables.reference(catalog.WORKLOADS["W2"])
        self.assertEqual(figures.times_better(tables.row("rabbitmq", "W2"), reference), [4])
        self.assertEqual([row.system.name for row in tables["W2"]], ["tmesh", "rabbitmq"])

    def test_a_round_without_one_of_the_two_has_no_ratio(self):
        self.assertEqual(figures.ratios({1: 4, 2: 4}, {2: 2, 3: 1}), [2])


class Targets(unittest.TestCase):
    def test_the_script_of_redis_is_taken_in_its_better_mode(self):
        done = [trial("tmesh", "W1", 1, 900e3), trial("redis-lua", "W1", 1, 300e3),
                trial("redis-lua", "W1-pinned", 1, 600e3)]
        found = verdict(figures.Tables(done, {}), "W1: to `redis-lua`")
        self.assertEqual((found.values, found.verdict()), ([1.5], "missed"))
        found = verdict(figures.Tables(done[:2], {}), "W1: to `redis-lua`")
        self.assertEqual((found.values, found.verdict()), ([3], "stretch"))

    def test_embedded_latency_is_compared_with_the_fastest_broker(self):
        done = [trial("tmesh-embedded", "W2", 1, 60), trial("redis-list", "W2", 1, 50),
                trial("rabbitmq", "W2", 1, 100), trial("zmq-rtt", "W2", 1, 10)]
        found = verdict(figures.Tables(done, {}), "W2: embedded ventilator, to the fastest broker")
        self.assertEqual((found.values, found.verdict()), ([1.2], "missed"))

    def test_what_was_not_run_is_not_reached(self):
        for found in targets.findings(figures.Tables([], {})):
            self.assertEqual(found.verdict(), "not measured", found.target.what)

    def test_every_target_names_systems_and_workloads_that_exist(self):
        done = [
            trial(system.name, workload, 1, 1.0)
            for system in catalog.SYSTEMS for workload in system.tasks
        ]
        for found in targets.findings(figures.Tables(done, {})):
            self.assertTrue(found.values, found.target.what)


class Reports(unittest.TestCase):
    def tables(self):
        return figures.Tables(
            [trial("tmesh", "W1", n, 1000 * n) for n in (1, 2, 3)]
            + [trial("redis-lua", "W1", 1, 500), failed("redis-lua", "W1", 2),
               trial("redis-lua", "W1", 3, 500), failed("rabbitmq", "W1", 1)],
            {"gearman": "it is not there"},
        )

    def test_a_system_that_lost_tasks_is_named_everywhere(self):
        tables = self.tables()
        text = report.whole(session_of([]), tables)
        self.assertIn("1 of 3 runs FAILED: INTEGRITY: 3 lost", text)
        self.assertIn("FAILED in 1 of 3", report.summary(tables))
        self.assertIn("FAILED in 1 of 1", report.summary(tables))
        self.assertEqual(len(report.failures(tables)), 2)
        self.assertIn("skipped: it is not there", text)

    def test_sizes_stand_side_by_side_with_their_ratio_and_processor_time(self):
        tables = figures.Tables(
            [trial("tmesh", "W1-10B", 1, 3000), trial("tmesh", "W1-1M", 1, 50),
             trial("zmq-relay", "W1-10B", 1, 1000, cpu_seconds_per_million=1.25),
             failed("zmq-relay", "W1-1M", 1), trial("zmq-chain", "W4-64K", 1, 20)], {})
        lines = report.size_summary(tables).splitlines()
        self.assertIn("| W1 tasks/s; CPU µs a task | 10 bytes | 1 MiB |", lines)
        self.assertIn("| tmesh | 3.00 k; 2.00 | 50.0; 2.00 |", lines)
        self.assertIn("| zmq-relay | 1.00 k (3.00x); 1.25 | FAILED in 1 of 1 |", lines)
        self.assertIn("| W4 tasks/s; CPU µs a task | 64 KiB |", lines)
        self.assertIn("| zmq-chain | 20.0; 2.00 |", lines)
        self.assertIn("W1-1M: throughput, payloads of 1 MiB", report.whole(session_of([]), tables))
        self.assertEqual(report.size_summary(self.tables()), "")

    def test_the_picture_is_well_formed_and_keeps_within_its_frame(self):
        done = [trial(system.name, workload, number, 10.0 ** (2 * number))
                for system in catalog.SYSTEMS for workload in system.tasks for number in (1, 2, 3)]
        picture = xml.etree.ElementTree.fromstring(
            chart.picture(figures.Tables(done, {}), "a < b & c")
        )
        width, height = float(picture.get("width")), float(picture.get("height"))
        marks = 0
        for element in picture.iter():
            for name, most in (("x", width), ("x2", width), ("cx", width), ("y", height),
                               ("y2", height), ("cy", height)):
                if element.get(name) is not None:
                    marks += 1
                    self.assertTrue(0 <= float(element.get(name)) <= most, element.attrib)
        self.assertGreater(marks, 500)
        self.assertIsNone(chart.picture(figures.Tables([], {}), ""))


class Runs(unittest.TestCase):
    """The command itself, in a copy of its folder, with a false zmq and no tmesh."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        shutil.copytree(SOURCE / "bench" / "peers", self.folder / "bench" / "peers",
                        ignore=shutil.ignore_patterns("results", "__pycache__"))
        self.readme = self.folder / "README.md"
        self.readme.write_text("before\n<!-- peers: begin -->\nold\n<!-- peers: end -->\nafter\n",
                               encoding="utf-8")

    def program(self, lost, status=0, said=""):
        path = self.folder / "zmq"
        figures_of_it = json.dumps({
            "tasks_per_second": 1000.0, "cpu_seconds_per_million": 1.0, "peak_rss_bytes": 1,
            "lost": lost, "repeated": 0,
        })
        path.write_text(f"#!/bin/sh\necho '{figures_of_it}'\necho '{said}' >&2\nexit {status}\n",
                        encoding="utf-8")
        path.chmod(0o755)

    def run_it(self, *more):
        return subprocess.run(
            [sys.executable, "-B", self.folder / "bench" / "peers" / "run.py",
             "--programs", self.folder, "--tmesh", self.folder / "none", *more],
            capture_output=True, text=True, check=False, timeout=50,
        )

    def one_run(self):
        return self.run_it("--only", "zmq-pushpull", "--workload", "W1", "--runs", "1")

    def test_a_size_is_passed_on_and_only_then(self):
        path = self.folder / "zmq"
        figures_of_it = json.dumps({
            "tasks_per_second": 1000.0, "cpu_seconds_per_million": 1.0, "peak_rss_bytes": 1,
            "lost": 0, "repeated": 0,
        })
        path.write_text(f"#!/bin/sh\necho \"$@\" >>'{self.folder}/said'\n"
                        f"echo '{figures_of_it}'\n", encoding="utf-8")
        path.chmod(0o755)
        self.assertEqual(self.one_run().returncode, 0)
        done = self.run_it("--only", "zmq-pushpull", "--sizes", "--runs", "1")
        self.assertEqual(done.returncode, 0, done.stderr)
        said = (self.folder / "said").read_text(encoding="utf-8").splitlines()
        self.assertNotIn("--size", said[0])
        self.assertEqual([line.rpartition("--size ")[2] for line in said[1:]],
                         ["10", "1024", "16384", "65536", "1048576"])

    def test_sizes_and_workloads_exclude_each_other(self):
        done = self.run_it("--sizes", "--workload", "W1")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--sizes names the workloads", done.stderr)

    def test_a_run_that_is_whole_ends_well(self):
        self.program(lost=0)
        done = self.one_run()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("1.00 k", done.stdout)

    def test_a_peer_that_admits_a_loss_gives_no_figure_and_status_1(self):
        self.program(lost=1)
        done = self.one_run()
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("INTEGRITY: 1 lost", done.stdout)
        self.assertNotIn("1.00 k", done.stdout)
        self.assertIn("zmq-pushpull, W1: 1 of 1 runs FAILED", done.stderr)

    def test_a_peer_that_ends_badly_gives_its_reason(self):
        self.program(lost=0, status=1, said="FAILED INTEGRITY: after 9 s only 5 of 6 were handled")
        done = self.one_run()
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("only 5 of 6 were handled", done.stdout)
        self.assertNotIn("1.00 k", done.stdout)

    def kept(self, done):
        path = self.folder / "kept.json"
        path.write_text(json.dumps(session_of(done)), encoding="utf-8")
        return str(path)

    def test_the_readme_is_written_between_its_marks(self):
        kept = self.kept([trial("tmesh", "W1", 1, 2000), trial("redis-lua", "W1", 1, 1000)])
        done = self.run_it("--readme", "--from", kept)
        self.assertEqual(done.returncode, 0, done.stderr)
        text = self.readme.read_text(encoding="utf-8")
        self.assertTrue(text.startswith("before\n<!-- peers: begin -->\n"), text)
        self.assertTrue(text.endswith("<!-- peers: end -->\nafter\n"), text)
        self.assertIn("1.00 k (2.00x)", text)
        self.assertNotIn("old", text)
        results = self.folder / "bench" / "peers" / "results"
        self.assertEqual(sorted(path.name for path in results.iterdir()),
                         ["peers.json", "peers.md", "peers.svg"])

    def test_sizes_have_their_own_place_and_files(self):
        text = "<!-- peers: begin -->\npeers\n<!-- peers: end -->\n"
        text += "<!-- sizes: begin -->\nold\n<!-- sizes: end -->\nafter\n"
        self.readme.write_text(text, encoding="utf-8")
        kept = self.kept([trial("tmesh", "W4-64K", 1, 2000), trial("redis-lua", "W4-64K", 1, 1000)])
        done = self.run_it("--readme", "--from", kept)
        self.assertEqual(done.returncode, 0, done.stderr)
        text = self.readme.read_text(encoding="utf-8")
        self.assertTrue(text.startswith("<!-- peers: begin -->\npeers\n<!-- peers: end -->\n"))
        self.assertTrue(text.endswith("<!-- sizes: end -->\nafter\n"), text)
        self.assertIn("| redis-lua | 1.00 k (2.00x); 2.00 |", text)
        self.assertNotIn("old", text)
        results = self.folder / "bench" / "peers" / "results"
        self.assertEqual(sorted(path.name for path in results.iterdir()),
                         ["sizes.json", "sizes.md"])
        whole = (results / "sizes.md").read_text(encoding="utf-8")
        self.assertNotIn("What was to be reached", whole)

    def test_a_readme_shows_all_systems(self):
        for wish in (["--only", "tmesh"], ["--workload", "W1"]):
            done = self.run_it("--readme", *wish)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("--readme", done.stderr)

    def test_figures_of_failed_runs_do_not_reach_the_readme(self):
        done = self.run_it("--readme", "--from",
                           self.kept([trial("tmesh", "W1", 1, 1000), failed("tmesh", "W1", 2)]))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("\nold\n", self.readme.read_text(encoding="utf-8"))
        self.assertFalse((self.folder / "bench" / "peers" / "results").exists())


if __name__ == "__main__":
    unittest.main()
