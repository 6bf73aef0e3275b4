import sys, time
sys.path.insert(0, "/tmp/w/sampler/proto")
from drive import *
import pairs as P
from retrial.tables.kernel.problem import *
study, ep = load(sys.argv[1]); N, K, share, nprop, npairs = int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6])
targets = targets_from_study(study, ep)
from retrial.tables.sample.engine import screen, screen_medians
from retrial.tables.ensemble import ReconstructionSettings
S = ReconstructionSettings()
problems, impossible = screen(targets, S)
rules = list(dict.fromkeys(r.median for r in problems))
for rule in rules:
    mine = [r for r in problems if r.median == rule]
    p = problems[mine[0]]
    t0 = time.time(); c0 = time.process_time()
    outs = [sample_arm(p, targets, a, N, K, 1, share=share, n_prop=nprop) for a in range(2)]
    t1 = time.time()
    from retrial.tables.printed.readings import code
    combos = np.array([[code(r.ratio), code(r.test)] for r in mine])
    w = np.array([p.times.size, targets.n_control + targets.n_experimental, p.whole[0, PIECES], p.whole[0, MEDIAN + 2], p.whole[0, RULE], p.whole[0, LIMITS + 4], p.whole[0, LIMITS + 5], 0, 0, 0], np.int64)
    rr = np.array([*p.real[0][MEDIAN_SE + 2], p.real[0][Z_MEDIAN, 2], 0, 0, 0])
    total = targets.find("events", "total")
    for k in range(K):
        a, b = outs[0][k], outs[1][k]
        la, lb = len(a[7]), len(b[7])
        rng = np.random.default_rng(k)
        I, J = rng.integers(la, size=npairs), rng.integers(lb, size=npairs)
        ok = np.ones(npairs, bool)
        if p.whole[0, EVENT_MODE] == EVENTS_TOTAL:
            ea, eb = np.array([a[5][i, :a[7][i]].sum() for i in range(la)]), np.array([b[5][i, :b[7][i]].sum() for i in range(lb)])
            ok &= ea[I] + eb[J] == total.value
        if p.whole[0, FIRST_HELD] == 1:
            ok &= (a[4][I, 0] == 0) | (b[4][J, 0] == 0)
        if p.whole[0, LAST_HELD] == 1:
            T = p.times.size
            la_, lb_ = np.array([a[4][i, a[7][i]-1] for i in range(la)]), np.array([b[4][i, b[7][i]-1] for i in range(lb)])
            ok &= (la_[I] == T - 1) | (lb_[J] == T - 1)
        fs = ok.mean()
        I, J = I[ok], J[ok]
        et, ej = np.zeros(len(I)), np.zeros((len(I), len(mine)))
        tt = time.time()
        P.pair_energies(I, J, w, rr, np.zeros((0, 3)), p.times, p.real[0], p.inverse, combos, a[4], a[5], a[6], a[7], targets.n_control, b[4], b[5], b[6], b[7], targets.n_experimental, et, ej)
        dt = time.time() - tt
        e = et[:, None] + ej
        hits = (e == 0).sum(axis=0)
        print(rule, "island", k, "structure", round(fs, 4), "pairs", len(I), "us/pair", round(1e6 * dt / max(len(I),1), 2), "total-median ok", round((et == 0).mean(), 5), "any reading", (e.min(axis=1) == 0).sum(), "ej ok", (ej.min(axis=1) == 0).sum(), "logZ", round(a[0] + b[0], 2), dict(zip([f"{x}" for x in combos.tolist()], hits.tolist())) if k == 0 else "", flush=True)
    print("arms", round(t1 - t0, 1), "cpu all", round(time.process_time() - c0, 1))
