"""Three faults of each kind that authorization once had, and the tests that find them."""

from __future__ import annotations

from tests.faults.planting import Fault

__all__ = ["FAULTS"]

_POLICIES = "src/licet/authz/policies/"
_SQL = f"{_POLICIES}_in_sql/"
_MODELS = f"{_POLICIES}_models/"
_REQUIREMENTS = "src/licet/authz/requirements/"
_UNIT = "tests/unit/authz/policies/"
_STATEMENTS = " ".join(
    f"{_UNIT}test_{name}.py" for name in ("inheritance", "statements", "filter", "odd_models")
)
_SCHEMAS = "tests/property/test_schemas.py::test_the_readings_agree_with_the_rows[sqlite]"
_CONDITIONS = "tests/property/test_conditions.py::test_the_readings_agree[sqlite]"
_KEPT = "tests/unit/rest/jsonapi/test_kept_statements.py"
_HOST = (
    "tests/acceptance/test_flask_login.py tests/unit/authz/test_standing.py "
    "tests/unit/authz/test_templates.py"
)

FAULTS = [
    # The statement's entity, not its table
    Fault(
        "the entity of a statement",
        f"{_SQL}_entity.py",
        "    return entity.mapper.isa(mapper) and not is_elsewhere",
        "    return entity.mapper.isa(mapper) or mapper.isa(entity.mapper)",
        _STATEMENTS,
    ),
    Fault(
        "the entity of a statement",
        f"{_SQL}_entity.py",
        "if mapper.inherits is not None or not isinstance(mapper.selectable, sa.Table):",
        "if not isinstance(mapper.selectable, sa.Table):",
        _STATEMENTS,
    ),
    Fault(
        "the entity of a statement",
        f"{_SQL}_entity.py",
        "    if len(aliases) + (len(fitting) > len(aliases)) > 1:",
        "    if len(aliases) > 2:",
        _STATEMENTS,
    ),
    # Facts of a schema that are assumed
    Fault(
        "assumed facts of a schema",
        f"{_SQL}_page.py",
        "for key in keys if key)",
        "for key in keys)",
        f"{_UNIT}test_schema_facts.py",
    ),
    Fault(
        "assumed facts of a schema",
        f"{_SQL}_page.py",
        "    return {column for column in first if isinstance(column, sa.Column)}",
        "    return {column for column in first if column.table is not None}",
        f"{_UNIT}test_schema_facts.py",
    ),
    Fault(
        "assumed facts of a schema",
        f"{_SQL}_page.py",
        "    key = keys[0] if len(keys) == 1 else sa.tuple_(*keys)",
        "    key = sa.tuple_(*reversed(keys)) if len(keys) > 1 else keys[0]",
        f"{_UNIT}test_schema_facts.py",
    ),
    # Relationships that are no plain pair of columns
    Fault(
        "joins that are no equality",
        f"{_MODELS}mapping.py",
        "    return bool(wanted) and len(parts) == len(wanted) and _equal_pairs(parts) == wanted",
        "    return bool(wanted) and _equal_pairs(parts) == wanted",
        f"{_UNIT}test_joins.py {_UNIT}test_odd_models.py {_SCHEMAS}",
    ),
    Fault(
        "joins that are no equality",
        f"{_SQL}_entities.py",
        "prop.secondary is None or not is_equality(prop.secondaryjoin, pairs):",
        "prop.secondary is None:",
        f"{_UNIT}test_joins.py {_UNIT}test_odd_models.py {_UNIT}test_schema_facts.py {_SCHEMAS}",
    ),
    Fault(
        "joins that are no equality",
        f"{_MODELS}mapping.py",
        "    if prop.entity.is_aliased_class:",
        "    if prop.entity.is_aliased_class and not prop.uselist:",
        f"{_UNIT}test_joins.py",
    ),
    # Collections that were loaded in part
    Fault(
        "what was loaded in part",
        f"{_MODELS}loading.py",
        'or "eager_from_alias" in element.local_opts\n',
        "or False\n",
        f"{_UNIT}test_partly_loaded.py",
    ),
    Fault(
        "what was loaded in part",
        f"{_MODELS}loading.py",
        "        return _UNKNOWN if _is_never(option.strategy) else _WHOLE",
        "        return _WHOLE",
        f"{_UNIT}test_partly_loaded.py",
    ),
    Fault(
        "what was loaded in part",
        f"{_POLICIES}_reader.py",
        "    By a statement about tables, which no `with_loader_criteria` of the session narrows.\n"
        '    """\n    related = with_parent(owner, getattr(type(owner), relation.name))\n'
        "    with asking(session, owner, relation.name):\n"
        "        return session.scalars(rows_of(relation.target.model, related, limit)).all()",
        '    """\n    related = with_parent(owner, getattr(type(owner), relation.name))\n'
        "    with asking(session, owner, relation.name):\n"
        "        chosen = sa.select(relation.target.model).where(related).limit(limit)\n"
        "        return session.scalars(chosen).all()",
        f"{_UNIT}test_schema_facts.py",
    ),
    # One order of evaluation
    Fault(
        "one order of evaluation",
        f"{_POLICIES}_in_words.py",
        "            if part.holds is until:\n",
        "            if part.holds is until and one is tuple(parts)[-1]:\n",
        f"{_UNIT}test_one_order.py {_UNIT}test_explain.py",
    ),
    Fault(
        "one order of evaluation",
        "src/licet/authz/callers/asking.py",
        "    if log.isEnabledFor(logging.INFO):",
        "    if log:",
        f"{_UNIT}test_one_order.py {_UNIT}test_explain.py tests/unit/authz/test_with_object.py",
    ),
    Fault(
        "one order of evaluation",
        "src/licet/authz/callers/asking.py",
        "    except Exception:\n"
        '        log.exception("The reason of a denial could not be worked out.")\n',
        "    except LookupError:\n"
        '        log.exception("The reason of a denial could not be worked out.")\n',
        f"{_UNIT}test_one_order.py {_UNIT}test_explain.py tests/unit/authz/test_with_object.py",
    ),
    # Values as assigned
    Fault(
        "values as assigned",
        f"{_POLICIES}_in_memory/__init__.py",
        "        yield is_not_none(self._fitting(leaf.column, name_of(name), owner))",
        "        yield is_not_none(name_of(name))",
        f"{_UNIT}test_one_order.py {_UNIT}test_columns.py",
    ),
    Fault(
        "values as assigned",
        f"{_MODELS}callers.py",
        "    is_unlike = type(value) is not column.value_type or column.kind is Kind.MOMENT",
        "    is_unlike = not isinstance(value, column.value_type)",
        f"{_UNIT}test_one_order.py {_UNIT}test_columns.py {_CONDITIONS}",
    ),
    Fault(
        "values as assigned",
        f"{_MODELS}stored.py",
        "            if type(value) is not str or value not in column.choices:",
        "            if type(value) is not str:",
        f"{_UNIT}test_one_order.py {_UNIT}test_columns.py {_CONDITIONS}",
    ),
    # Contexts of requirements
    Fault(
        "contexts of requirements",
        f"{_REQUIREMENTS}_current.py",
        "    copied.__dict__[_COPIED] = found\n",
        "",
        "tests/unit/authz/requirements/test_contexts.py tests/property/test_contexts_machine.py",
    ),
    Fault(
        "contexts of requirements",
        f"{_REQUIREMENTS}_contexts.py",
        "    left = tuple(entry for entry in stack if entry.manager is not manager)",
        "    left = ()",
        "tests/conformance/test_compat_flask_allows.py",
    ),
    Fault(
        "contexts of requirements",
        f"{_REQUIREMENTS}_streams.py",
        "        return _held(process_response(*args, **kwargs))",
        "        return process_response(*args, **kwargs)",
        "tests/unit/authz/requirements tests/property/test_contexts_machine.py",
    ),
    # Masks by another name
    Fault(
        "masks by another name",
        f"{_MODELS}sources.py",
        "                return self._found.own.get(synonym.name, itself), values",
        "                return itself, itself",
        f"{_UNIT}test_masks.py {_UNIT}test_fields.py",
    ),
    Fault(
        "masks by another name",
        f"{_MODELS}sources.py",
        "        if any(_is_text(part) for one in listed for part in iterate(one)):",
        "        if any(_is_text(one) for one in listed):",
        f"{_UNIT}test_masks.py {_UNIT}test_fields.py",
    ),
    Fault(
        "masks by another name",
        f"{_MODELS}sources.py",
        "            return self._values(descriptor.target_collection)",
        "            return frozenset({name})",
        f"{_UNIT}test_masks.py {_UNIT}test_fields.py",
    ),
    # Ties
    Fault(
        "ties in an order",
        f"{_SQL}_filter.py",
        "        statement = _in_total_order(statement, keys)\n",
        "        pass\n",
        f"{_UNIT}test_page.py {_UNIT}test_schema_facts.py",
    ),
    Fault(
        "ties in an order",
        f"{_SQL}_filter.py",
        "    missing = [key for key in keys if key.expression not in known]",
        "    missing = [key for key in keys[:1] if key.expression not in known]",
        f"{_UNIT}test_schema_facts.py",
    ),
    Fault(
        "ties in an order",
        f"{_SQL}_filter.py",
        "(is_cut and statement._order_by_clauses) or statement._offset_clause is not None",
        "is_cut and statement._order_by_clauses",
        f"{_UNIT}test_page.py {_UNIT}test_schema_facts.py",
    ),
    # What lists and answers trip over
    Fault(
        "lists, 401 and OPTIONS",
        f"{_POLICIES}lists.py",
        "        result = result.unique()\n",
        "        pass\n",
        f"{_UNIT}test_lists.py",
    ),
    Fault(
        "lists, 401 and OPTIONS",
        f"{_REQUIREMENTS}views.py",
        'return request.method == "OPTIONS" and',
        'return request.method == "NONE" and',
        "tests/unit/authz/requirements/test_views.py tests/unit/authz/declared",
    ),
    Fault(
        "lists, 401 and OPTIONS",
        "src/licet/errors/_callers.py",
        '    code = 401\n    description = "The bearer token was not accepted."',
        '    code = 400\n    description = "The bearer token was not accepted."',
        "tests/unit/authz/requirements tests/unit/authz/test_with_object.py",
    ),
    # Columns of every kind
    Fault(
        "columns of every kind",
        f"{_SQL}_edges.py",
        "        case Test.LT | Test.GE:\n",
        "        case Test.LT | Test.GT:\n",
        f"{_UNIT}test_columns.py {_CONDITIONS}",
    ),
    Fault(
        "columns of every kind",
        "src/licet/authz/_moment.py",
        "        return value.astimezone(UTC)\n",
        "        return value\n",
        f"{_UNIT}test_now.py {_UNIT}test_columns.py {_CONDITIONS}",
    ),
    Fault(
        "columns of every kind",
        f"{_MODELS}types.py",
        "    if not column_type.asdecimal:\n",
        "    if column_type.asdecimal is None:\n",
        f"{_UNIT}test_columns.py {_UNIT}test_sql.py",
    ),
    # Users of Flask-Login and Flask-SQLAlchemy
    Fault(
        "users of the host app",
        "src/licet/authz/callers/nobody.py",
        'return found is None or getattr(found, "is_authenticated", True) is False',
        "return found is None",
        _HOST,
    ),
    Fault(
        "users of the host app",
        "src/licet/authz/callers/nobody.py",
        "return caller._get_current_object() if type(caller) is LocalProxy else caller",
        "return caller",
        _HOST,
    ),
    Fault(
        "users of the host app",
        "src/licet/authz/callers/asking.py",
        '        principal = f"{type(asking).__name__}:{key}"',
        '        principal = "?"',
        _HOST,
    ),
    # Roles
    Fault(
        "roles of one app",
        f"{_POLICIES}roles.py",
        "if role is not self and self in role.closure()}",
        "if role is not self and self in role._implied}",
        f"{_UNIT}test_roles.py",
    ),
    Fault(
        "roles of one app",
        f"{_POLICIES}roles.py",
        "            if self._is_in_use:\n",
        "            if False:\n",
        f"{_UNIT}test_roles.py",
    ),
    Fault(
        "roles of one app",
        f"{_POLICIES}roles.py",
        "            if implied not in known:\n",
        "            if implied not in known and implied.asks_object:\n",
        f"{_UNIT}test_roles.py",
    ),
    # The cost of a decision
    Fault(
        "the cost of a decision",
        f"{_SQL}_membership.py",
        "        if found is None:\n            return in_rows(",
        "        if True:\n            return in_rows(",
        f"{_UNIT}test_partly_loaded.py {_UNIT}test_policy.py {_UNIT}test_sql.py "
        f"{_UNIT}test_drafts.py {_UNIT}test_lists.py",
    ),
    Fault(
        "the cost of a decision",
        f"{_POLICIES}_in_words.py",
        "        if len(first) <= _MANY:\n",
        "        if first is not None:\n",
        f"{_UNIT}test_explain.py {_UNIT}test_schema_facts.py",
    ),
    Fault(
        "the cost of a decision",
        f"{_POLICIES}_in_words.py",
        "        first = self.reader.some(holder, relation, _MANY + 1)\n",
        "        first = self.reader.some(holder, relation, 100_000)\n",
        f"{_UNIT}test_explain.py {_UNIT}test_schema_facts.py",
    ),
    # What Python and its libraries let through
    Fault(
        "odd arguments",
        f"{_POLICIES}lists.py",
        "    if not isinstance(session, Session | scoped_session):",
        "    if session is None:",
        f"{_UNIT}test_asynchronous.py",
    ),
    Fault(
        "odd arguments",
        "src/licet/authz/flask.py",
        "    if len(names) != (wanted := len(sa.inspect(policy.model).primary_key)):",
        "    if len(names) > (wanted := len(sa.inspect(policy.model).primary_key)):",
        "tests/unit/authz/test_with_object.py",
    ),
    Fault(
        "odd arguments",
        f"{_MODELS}mapping.py",
        'sa.event.listen(Mapper, "after_configured", _shapes.clear)',
        'sa.event.listen(Mapper, "after_configured", lambda: None)',
        f"{_UNIT}test_wrong_objects.py",
    ),
    # Statements that are made of what another caller is, or was
    Fault(
        "what is kept",
        "src/licet/rest/jsonapi/mapping.py",
        "is_fixed = name in mapper.column_attrs",
        "is_fixed = True",
        _KEPT,
    ),
    Fault(
        "what is kept",
        "src/licet/rest/jsonapi/reading/__init__.py",
        "            reader = Reader(self.session, caller)",
        "            reader = self",
        _KEPT,
    ),
    Fault(
        "what is kept",
        "src/licet/authz/writes/_questions.py",
        "_column(check.column(caller)) for",
        "_column(check.column(self._identity)) for",
        _KEPT,
    ),
    # Statements that are kept for callers who are equal
    Fault(
        "kept statements",
        f"{_MODELS}kept.py",
        "    found = tuple((type(value), value) for value in values)",
        "    found = tuple(type(value) for value in values)",
        f"{_UNIT}test_unloaded_collections.py",
    ),
    Fault(
        "kept statements",
        f"{_MODELS}nodes.py",
        "            return (plan.slot.index,)",
        "            return ()",
        f"{_UNIT}test_unloaded_collections.py",
    ),
    Fault(
        "kept statements",
        f"{_POLICIES}_check.py",
        "        if not piece.asks_caller or self.asks_now:",
        "        if not piece.asks_caller:",
        f"{_UNIT}test_unloaded_collections.py tests/unit/authz/test_grants.py",
    ),
]
