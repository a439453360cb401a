"""Models that are asked on the workers of a Ray cluster; Ray itself is imported when a cluster is joined."""

from saltus.models.cluster.cluster import Cluster
from saltus.models.cluster.model import ClusterModel

__all__ = ["Cluster", "ClusterModel"]
