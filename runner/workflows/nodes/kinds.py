"""The table of all node types: how `data` of each is read.

Rules: a type stands here once; what it is called in a workflow is said nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from runner.workflows.nodes import flow, talking, thinking, working
from runner.workflows.nodes.fields import Fields

Node: TypeAlias = (
    flow.Trigger
    | flow.IfElse
    | flow.Switch
    | flow.Loop
    | flow.Parallel
    | flow.ErrorHandler
    | thinking.LlmCall
    | thinking.StructuredOutput
    | thinking.AgentLoop
    | thinking.LlmRouter
    | thinking.ConfidenceRouter
    | thinking.Guardrail
    | thinking.Vision
    | thinking.DocumentParse
    | thinking.ImageGenerate
    | talking.SendMessage
    | talking.LaterMessage
    | talking.HumanHandoff
    | talking.AuthGate
    | talking.WaitDelay
    | talking.DelegateToBot
    | working.CodeBlock
    | working.ToolUse
    | working.DataTransform
    | working.KnowledgeRetrieval
    | working.MemoryStore
    | working.SubWorkflow
)

KINDS: Mapping[str, Callable[[Fields], Node]] = MappingProxyType(
    {
        "trigger": flow.Trigger.read,
        "llm_call": thinking.LlmCall.read,
        "logic": flow.read_logic,
        "code_block": working.CodeBlock.read,
        "mcp_tool": working.ToolUse.read,
        "send_message": talking.SendMessage.read,
        "action": talking.HumanHandoff.read,
        "loop": flow.Loop.read,
        "parallel": flow.Parallel.read,
        "delegate_to_bot": talking.DelegateToBot.read,
        "auth_gate": talking.AuthGate.read,
        "schedule_message": talking.LaterMessage.read,
        "send_proactive": talking.LaterMessage.read_proactive,
        "error_handler": flow.ErrorHandler.read,
        "agent_loop": thinking.AgentLoop.read,
        "structured_output": thinking.StructuredOutput.read,
        "llm_router": thinking.LlmRouter.read,
        "confidence_router": thinking.ConfidenceRouter.read,
        "guardrail": thinking.Guardrail.read,
        "function_call": working.ToolUse.read,
        "data_transform": working.DataTransform.read,
        "knowledge_retrieval": working.KnowledgeRetrieval.read,
        "memory_store": working.MemoryStore.read,
        "wait_delay": talking.WaitDelay.read,
        "sub_workflow": working.SubWorkflow.read,
        "vision_analyze": thinking.Vision.read,
        "document_parse": thinking.DocumentParse.read,
        "image_generate": thinking.ImageGenerate.read,
    }
)
