from localreg.statistics.joint import JointCounts, joint_counts
from dataclasses import dataclass
AGGREGATES=("accuracy","f1_macro"); OF_CLASSES=("precision","recall","f1")
@dataclass(frozen=True, slots=True)
class Estimate:
    metric: str
    label: int | None
    a: float | None
    b: float | None
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    n: int
    reason: str | None = None
def adjusted_p_values(p,method): return p
def compare_counts(joint,metrics,confidence):
    from localreg.metrics import mcnemar_exact
    n=joint.n
    if not n: return [Estimate("accuracy",None,None,None,None,None,None,None,0,"no pairs")]
    a=joint.count[joint.a==joint.truth].sum()/n; b=joint.count[joint.b==joint.truth].sum()/n
    f=int(joint.count[(joint.a!=joint.truth)&(joint.b==joint.truth)].sum()); g=int(joint.count[(joint.a==joint.truth)&(joint.b!=joint.truth)].sum())
    return [Estimate("accuracy",None,float(a),float(b),float((f-g)/n),None,None,mcnemar_exact(f,g),n)]
