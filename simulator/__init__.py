"""Shoppers to practise on: worlds in which a policy's decisions can be judged before a real one."""

__all__: list[str] = []
