import numpy as np
import pytest
from runtimes.session import open_model
def test_a(tiny):
    x=tiny.images(); e=tiny.expected(x)
    for f in tiny.files:
        s=open_model(f); p=s.predict(x)
        print(f.name,s.backend,[float(abs(a-b).max()) for a,b in zip((p.probabilities,p.cam,p.unknown),e)], p.probabilities)
        assert s.contract==tiny.contract
    import shutil; shutil.rmtree("/tmp/w/r/files",ignore_errors=True); shutil.copytree(tiny.tflite.parent,"/tmp/w/r/files")
