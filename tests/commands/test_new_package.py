"""What `downlink mission new` writes is sound TOML and Python, whatever a mission, container or parameter is called."""

import ast
import tomllib
from xml.sax.saxutils import quoteattr

import pytest
from downlink_pipeline.commands.scaffold.package import new_package

XTCE = """<SpaceSystem name="S" xmlns="http://www.omg.org/spec/XTCE/20180204"><TelemetryMetaData><ParameterTypeSet>
<IntegerParameterType name="U16" signed="false"><UnitSet><Unit>{unit}</Unit></UnitSet>
<IntegerDataEncoding sizeInBits="16" encoding="unsigned"/></IntegerParameterType></ParameterTypeSet><ParameterSet>
<Parameter name="ID" parameterTypeRef="U16"/><Parameter name="SEQUENCE" parameterTypeRef="U16"/>
<Parameter name="LENGTH" parameterTypeRef="U16"/><Parameter name={parameter} parameterTypeRef="U16"/></ParameterSet>
<ContainerSet><SequenceContainer name="HEADER" abstract="true"><EntryList><ParameterRefEntry parameterRef="ID"/>
<ParameterRefEntry parameterRef="SEQUENCE"/><ParameterRefEntry parameterRef="LENGTH"/></EntryList></SequenceContainer>
<SequenceContainer name={container}><EntryList><ParameterRefEntry parameterRef={parameter}/></EntryList>
<BaseContainer containerRef="HEADER"><RestrictionCriteria><Comparison parameterRef="ID" value="2088"/>
</RestrictionCriteria></BaseContainer></SequenceContainer><SequenceContainer name="OTHER"><EntryList/>
<BaseContainer containerRef="HEADER"><RestrictionCriteria><Comparison parameterRef="ID" value="2089"/>
</RestrictionCriteria></BaseContainer></SequenceContainer></ContainerSet></TelemetryMetaData></SpaceSystem>"""


def test_a_name_with_a_dot_is_one_entry_point(tmp_path):
    new_package("a.b-c", tmp_path / "new", [])
    project = tomllib.loads((tmp_path / "new" / "pyproject.toml").read_text())["project"]
    assert project["entry-points"] == {"downlink.missions": {"a.b-c": "downlink_a_b_c:PACKAGE"}}
    assert project["name"] == "downlink-a-b-c"


@pytest.mark.parametrize(
    ("container", "parameter", "unit"),
    [
        ("pass", "X", "V"),  # a word of Python
        ("Quality", "X", "V"),  # a name that the module of an instrument imports
        ("kinds", "X", "V"),  # its other module
        ("HK", 'A"B', '"'),
        ("HK", "A\\N", "\\Omega"),
        ("Ä 1", "Ü", "°C"),
    ],
)
def test_names_of_a_dictionary_stand_in_the_code_as_they_are(container, parameter, unit, tmp_path):
    names = {"container": quoteattr(container), "parameter": quoteattr(parameter)}
    (tmp_path / "a.xml").write_text(XTCE.format(unit=unit, **names))
    new_package("mysat", tmp_path / "new", [tmp_path / "a.xml"])
    trees = {path.name: ast.parse(path.read_text()) for path in (tmp_path / "new").rglob("*.py")}
    [module] = [tree for tree in trees.values() if any(isinstance(node, ast.ClassDef) for node in tree.body)]
    imported = [alias.name for node in module.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    defined = [node.name for node in module.body if isinstance(node, ast.ClassDef)]
    assert not {*imported} & {*defined}
    assert parameter in {node.value for node in ast.walk(module) if isinstance(node, ast.Constant)}
    assert unit in {node.value for node in ast.walk(trees["kinds.py"]) if isinstance(node, ast.Constant)}
    assert all(name.isidentifier() for node in ast.walk(trees[f"test_{name_of(trees)}.py"])
               if isinstance(node, ast.ImportFrom) for name in (node.module or "").split("."))  # fmt: skip


def name_of(trees):
    """The instrument, by its test."""
    return next(name for name in trees if name.startswith("test_")).removeprefix("test_").removesuffix(".py")
