"""The condition language: who may be offered an action, in words that a person can read."""

from policy.catalog.condition.parser import parse
from policy.catalog.condition.program import Program
from policy.catalog.condition.tree import Condition, Field
from policy.catalog.condition.vocabulary import FieldType, Vocabulary

__all__ = ["Condition", "Field", "FieldType", "Program", "Vocabulary", "parse"]
