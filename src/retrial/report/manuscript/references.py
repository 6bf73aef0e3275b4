"""What a run relies on, as BibTeX and in words: a reference is in the file where the text refers to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from retrial.report.manuscript.latex import latex_text
from retrial.study.study import Study

STUDY = "study"
"""Key of the study itself."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference: kind of entry, authors ("Cox, David R. and Efron, Bradley"), year, title, where it appeared, DOI or address."""

    entry: str
    authors: str
    year: str
    title: str
    where: str = ""
    doi: str = ""

    @property
    def short(self) -> str:
        """ "Cox 1972"."""
        if self.entry == "misc":
            return "the study"
        names = [name.partition(",")[0] for name in self.authors.split(" and ")]
        first = names[0] + (
            " et al." if len(names) > 2 or names[-1] == "others" else f" and {names[1]}" if len(names) == 2 else ""
        )
        return f"{first} {self.year}".strip()

    @property
    def text(self) -> str:
        """The reference in full."""
        names = self.authors.replace(" and others", " et al.").replace(" and ", "; ")
        link = f" https://doi.org/{self.doi}" if self.doi else ""
        year = f" ({self.year})" if self.year else ""
        return f"{names}{year}. {self.title}.{f' {self.where}.' if self.where else ''}{link}"

    def bibtex(self, key: str) -> str:
        """The entry."""
        fields = {"author": self.authors, "title": f"{{{latex_text(self.title)}}}", "year": self.year}
        holder = {"article": "journal", "inproceedings": "booktitle"}.get(self.entry, "howpublished")
        fields |= {holder: latex_text(self.where), "doi": self.doi}
        # one author who is a text of the study file: BibTeX shall not take it apart
        one = f"{{{latex_text(self.authors)}}}"
        fields["author"] = one if self.entry == "misc" else " and ".join(latex_text(name) for name in self.authors.split(" and "))
        lines = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
        return f"@{self.entry}{{{key},\n" + ",\n".join(lines) + "\n}\n"


KNOWN: Mapping[str, Reference] = {
    "kruschke2021": Reference(
        "article",
        "Kruschke, John K.",
        "2021",
        "Bayesian Analysis Reporting Guidelines",
        "Nature Human Behaviour 5:1282-1291",
        "10.1038/s41562-021-01177-7",
    ),
    "sung2005": Reference(
        "article",
        "Sung, Lillian and others",
        "2005",
        "Seven items were identified for inclusion when reporting a Bayesian analysis of a clinical study",
        "Journal of Clinical Epidemiology 58:261-268",
        "10.1016/j.jclinepi.2004.08.010",
    ),
    "depaoli2017": Reference(
        "article",
        "Depaoli, Sarah and van de Schoot, Rens",
        "2017",
        "Improving transparency and replication in Bayesian statistics: the WAMBS-checklist",
        "Psychological Methods 22:240-261",
        "10.1037/met0000065",
    ),
    "zampieri2021": Reference(
        "article",
        "Zampieri, Fernando G. and others",
        "2021",
        "Using Bayesian methods to augment the interpretation of critical care trials: an overview of theory and example reanalysis"
        " of the Alveolar Recruitment for Acute Respiratory Distress Syndrome Trial",
        "American Journal of Respiratory and Critical Care Medicine 203:543-552",
        "10.1164/rccm.202006-2381CP",
    ),
    "hoffman2014": Reference(
        "article",
        "Hoffman, Matthew D. and Gelman, Andrew",
        "2014",
        "The No-U-Turn Sampler: adaptively setting path lengths in Hamiltonian Monte Carlo",
        "Journal of Machine Learning Research 15:1593-1623",
    ),
    "vehtari2021": Reference(
        "article",
        "Vehtari, Aki and Gelman, Andrew and Simpson, Daniel and Carpenter, Bob and Bürkner, Paul-Christian",
        "2021",
        "Rank-normalization, folding, and localization: an improved R-hat for assessing convergence of MCMC",
        "Bayesian Analysis 16:667-718",
        "10.1214/20-BA1221",
    ),
    "vehtari2017": Reference(
        "article",
        "Vehtari, Aki and Gelman, Andrew and Gabry, Jonah",
        "2017",
        "Practical Bayesian model evaluation using leave-one-out cross-validation and WAIC",
        "Statistics and Computing 27:1413-1432",
        "10.1007/s11222-016-9696-4",
    ),
    "vehtari2024": Reference(
        "article",
        "Vehtari, Aki and Simpson, Daniel and Gelman, Andrew and Yao, Yuling and Gabry, Jonah",
        "2024",
        "Pareto smoothed importance sampling",
        "Journal of Machine Learning Research 25(72):1-58",
    ),
    "kallioinen2024": Reference(
        "article",
        "Kallioinen, Noa and Paananen, Topi and Bürkner, Paul-Christian and Vehtari, Aki",
        "2024",
        "Detecting and diagnosing prior and likelihood sensitivity with power-scaling",
        "Statistics and Computing 34:57",
        "10.1007/s11222-023-10366-5",
    ),
    "neuenschwander2020": Reference(
        "article",
        "Neuenschwander, Beat and Weber, Sebastian and Schmidli, Heinz and O'Hagan, Anthony",
        "2020",
        "Predictively consistent prior effective sample sizes",
        "Biometrics 76:578-587",
        "10.1111/biom.13252",
    ),
    "pymc": Reference(
        "article",
        "Abril-Pla, Oriol and others",
        "2023",
        "PyMC: a modern, and comprehensive probabilistic programming framework in Python",
        "PeerJ Computer Science 9:e1516",
        "10.7717/peerj-cs.1516",
    ),
    "arviz": Reference(
        "article",
        "Martin, Osvaldo A. and Abril-Pla, Oriol and Deklerk, Jordan and Axen, Seth D. and Carroll, Colin and Hartikainen, Ari"
        " and Vehtari, Aki",
        "2026",
        "ArviZ: a modular and flexible library for exploratory analysis of Bayesian models",
        "Journal of Open Source Software 11(119):9889",
        "10.21105/joss.09889",
    ),
    "lifelines": Reference(
        "article",
        "Davidson-Pilon, Cameron",
        "2019",
        "lifelines: survival analysis in Python",
        "Journal of Open Source Software 4(40):1317",
        "10.21105/joss.01317",
    ),
    "statsmodels": Reference(
        "inproceedings",
        "Seabold, Skipper and Perktold, Josef",
        "2010",
        "statsmodels: econometric and statistical modeling with Python",
        "Proceedings of the 9th Python in Science Conference, pages 92-96",
        "10.25080/Majora-92bf1922-011",
    ),
    "scipy": Reference(
        "article",
        "Virtanen, Pauli and others",
        "2020",
        "SciPy 1.0: fundamental algorithms for scientific computing in Python",
        "Nature Methods 17:261-272",
        "10.1038/s41592-019-0686-2",
    ),
    "numpy": Reference(
        "article",
        "Harris, Charles R. and others",
        "2020",
        "Array programming with NumPy",
        "Nature 585:357-362",
        "10.1038/s41586-020-2649-2",
    ),
    "hernan2016": Reference(
        "article",
        "Hernán, Miguel A. and Robins, James M.",
        "2016",
        "Using big data to emulate a target trial when a randomized trial is not available",
        "American Journal of Epidemiology 183:758-764",
        "10.1093/aje/kwv254",
    ),
    "sterne2016": Reference(
        "article",
        "Sterne, Jonathan A. C. and others",
        "2016",
        "ROBINS-I: a tool for assessing risk of bias in non-randomised studies of interventions",
        "BMJ 355:i4919",
        "10.1136/bmj.i4919",
    ),
    "vanderweele2017": Reference(
        "article",
        "VanderWeele, Tyler J. and Ding, Peng",
        "2017",
        "Sensitivity analysis in observational research: introducing the E-value",
        "Annals of Internal Medicine 167:268-274",
        "10.7326/M16-2607",
    ),
}
"""References by key. Volumes, pages and DOIs as publishers, PubMed Central or the projects themselves print them."""


def references(study: Study) -> dict[str, Reference]:
    """Those that are known, and the study itself as its file cites it."""
    cited = study.citation
    mine = Reference("misc", cited.text or "The study", "", study.title, "", cited.doi)
    return {STUDY: mine, **KNOWN}


def bibliography(keys: Iterable[str], known: Mapping[str, Reference]) -> str:
    """references.bib: entries of the keys, in their order."""
    return "\n".join(known[key].bibtex(key) for key in keys)
