"""Go's ``text/template`` with the sprig functions: for default rules and configuration files."""

from edgerouter.gotemplate.lexer import TemplateError
from edgerouter.gotemplate.template import Template

__all__ = ["Template", "TemplateError"]
