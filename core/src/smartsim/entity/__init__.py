"""What an experiment describes and launches."""

from __future__ import annotations

from smartsim.entity.dbnode import DBNode
from smartsim.entity.dbobject import DBModel, DBObject, DBScript
from smartsim.entity.ensemble import Ensemble
from smartsim.entity.entity import SmartSimEntity, TelemetryConfiguration
from smartsim.entity.entityList import EntityList, EntitySequence
from smartsim.entity.files import TaggedFilesHierarchy
from smartsim.entity.model import Model

__all__ = [
    "DBModel",
    "DBNode",
    "DBObject",
    "DBScript",
    "Ensemble",
    "EntityList",
    "EntitySequence",
    "Model",
    "SmartSimEntity",
    "TaggedFilesHierarchy",
    "TelemetryConfiguration",
]
