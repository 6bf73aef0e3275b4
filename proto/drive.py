from __future__ import annotations
import sys, time, math
import numpy as np
from concurrent.futures import ThreadPoolExecutor
sys.path.insert(0, "/tmp/w/sampler/proto")
import arm as A
from retrial.study.loader import load_study
from retrial.tables.printed.from_study import targets_from_study
from retrial.tables.printed.readings import Reading, MedianReading
from retrial.tables.sample.build import build_problem
from retrial.tables.sample.structure import first_table, contradictions
from retrial.tables.kernel.prior import TablePrior
from retrial.tables.kernel.forward import arm_pool, by_events
from retrial.tables.kernel.compiled import random_state
from retrial.tables.kernel.problem import *

def entries(d, leaving):
    """dense (N,T) -> (N,M) entries"""
    N, T = d.shape
    M = min(T, int(leaving[0].sum())) + 3
    t = np.zeros((N, M), np.int64); dd = np.zeros((N, M), np.int64); cc = np.zeros((N, M), np.int64); m = np.zeros(N, np.int64)
    for i in range(N):
        k = np.flatnonzero(leaving[i]); m[i] = k.size
        t[i, :k.size] = k; dd[i, :k.size] = d[i, k]; cc[i, :k.size] = leaving[i, k] - d[i, k]
    return t, dd, cc, m

def arm_problem(p, arm, n):
    whole = p.whole[0]; real = p.real[0]
    T = p.times.size
    w = np.array([T, n, whole[PIECES], whole[MEDIAN + arm], whole[RULE], whole[LIMITS + 2 * arm], whole[LIMITS + 2 * arm + 1], 0, 0, 0], np.int64)
    mode = whole[EVENT_MODE]
    fixed = mode == EVENTS_PER_ARM or (mode == EVENTS_CONTROL and arm == 0) or (mode == EVENTS_EXPERIMENTAL and arm == 1)
    w[7] = 0 if fixed else 1
    r = np.array([*real[MEDIAN_SE + arm], real[Z_MEDIAN, arm], real[SCALARS, CURVE_SCALE], 0, 0])
    cv = p.curve[arm]
    k = np.flatnonzero(~np.isnan(cv[:, 0]))
    curve = np.column_stack([k.astype(float), cv[k, 0], cv[k, 1]]) if k.size else np.zeros((0, 3))
    w[8] = k.size
    special = sorted({int(x) for x in (w[3], w[5], w[6]) if 0 <= x < T})
    w[9] = len(special)
    return w, r, np.ascontiguousarray(curve), np.array(special or [0], np.int64)

def sample_arm(p, targets, arm, N, islands, seed, share=0.7, n_prop=None, harvest=0.1, looks=20, fixed_events=None):
    n = (targets.n_control, targets.n_experimental)[arm]
    fd, fr = first_table(targets)
    w, r, curve, special = arm_problem(p, arm, n)
    n_prop = n_prop or 2 * n
    def run(k):
        state = random_state(np.random.SeedSequence(seed, spawn_key=(arm, k)))
        d, rr, lev, ok = arm_pool(p, fr, arm, 20 * N, state)
        assert ok
        if not w[7]:
            have = np.flatnonzero(d.sum(axis=1) == fd[arm].sum())
            sel = have[np.arange(N) % have.size] if have.size else None
            if sel is None: raise SystemExit("no arm with the events")
        else:
            sel = np.arange(N) * 20
        d, rr, lev = d[sel], rr[sel], lev[sel]
        t, dd, cc, m = entries(d, rr[:, :-1] - rr[:, 1:])
        burn = 5 * n
        return A.run_arm(w, r, curve, p.times, p.inverse, np.ascontiguousarray(p.segment[arm]), p.prior, p.steps, special, t, dd, cc, m, lev.astype(np.int64), burn, n_prop, 4 * n_prop, share, harvest, looks, 1000.0, state)
    with ThreadPoolExecutor(2) as ex:
        return list(ex.map(run, range(islands)))

def load(name):
    if name.startswith("yao"):
        return load_study("/tmp/w/sampler/conf/study/yao2025.yaml"), name.split(":")[1]
    path, ep = name.split(":")
    return load_study(path), ep

if __name__ == "__main__":
    study, ep = load(sys.argv[1])
    targets = targets_from_study(study, ep)
    print("T", targets.n_times, "n", targets.n_control, targets.n_experimental, [x.name for x in targets.targets])
    N = int(sys.argv[2]); K = int(sys.argv[3])
    from retrial.tables.sample.engine import screen_medians
    from retrial.tables.ensemble import ReconstructionSettings
    rules, imp = screen_medians(targets, ReconstructionSettings())
    rules = rules or (None,)
    for rule in rules:
        p = build_problem(targets, Reading(None, None, rule), TablePrior())
        for armi in range(2):
            t0 = time.time(); c0 = time.process_time()
            out = sample_arm(p, targets, armi, N, K, 1, share=float(sys.argv[4]), n_prop=int(sys.argv[5]))
            lz = np.array([o[0] for o in out])
            print(rule, "arm", armi, "logZ", np.round(lz, 2), "mean", round(float(np.log(np.exp(lz - lz.max()).mean()) + lz.max()), 3), "sd", round(float(lz.std()), 2), "b", [round(o[1], 1) for o in out][:3], "levels", [o[2] for o in out][:3], "kept", [len(o[7]) for o in out][:4], "anc", [len(np.unique(o[8])) for o in out][:4], "made", sum(o[3] for o in out), "cpu", round(time.process_time() - c0, 2), "wall", round(time.time() - t0, 2), flush=True)
