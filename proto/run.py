import sys, time, numpy as np
from retrial.study.loader import load_study
from retrial.tables.printed.from_study import targets_from_study
from retrial.tables.sample.engine import reconstruct
from retrial.tables.ensemble import ReconstructionSettings
name, ep = sys.argv[1].split(":")
kw = dict(a.split("=") for a in sys.argv[2:])
kw = {k: int(v) for k, v in kw.items()}
seed = kw.pop("seed", 1)
path = "conf/study/yao2025.yaml" if name == "yao" else name
t = targets_from_study(load_study(path), ep)
t0, c0 = time.time(), time.process_time()
e = reconstruct(t, ReconstructionSettings(**kw), seed)
print("T", t.n_times, "n", t.n_control, t.n_experimental, "wall", round(time.time()-t0,1), "cpu", round(time.process_time()-c0,1), "tables", len(e.readings))
for r in e.attained:
    print("  ", r.reading.name, round(r.log_evidence,2), "se", round(r.log_evidence_se,2), "share", round(r.share,3), "+-", round(r.share_se,3), "eff", round(r.effective_tables,1), "uniq", r.unique_tables, "anc", r.unique_ancestors, "acc", round(r.acceptance,3), "islands", r.islands, "prop", r.proposals)
from retrial.tables.sample.pool import effective_tables
print("effective overall", effective_tables(list(e.pool[:8])), [round(i.log_evidence,2) for i in e.pool])
