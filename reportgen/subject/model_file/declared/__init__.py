"""What a configuration declares: the shape of every weight, before anything is built.

The graph is walked without recursion; only nesting recurses, to a bounded depth. Whatever the
configuration does not say, or says in a way Keras would not build, is None: never a guess.
"""

from reportgen.subject.model_file.declared.declaration import Declared, DeclaredLayer
from reportgen.subject.model_file.declared.network import declare

__all__ = ["Declared", "DeclaredLayer", "declare"]
